"""Analysis of audio blocks into smoothed genre estimates, live on a thread or offline for whole files."""
