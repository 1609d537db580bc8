"""Analysis of audio blocks into smoothed genre estimates."""
