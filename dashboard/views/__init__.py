"""The pages; each module has ``show``, which lays one out."""
