"""From audio blocks to smoothed genre estimates, live on a thread or offline for whole files."""
