"""The shipped model, its manifest and its model card."""
