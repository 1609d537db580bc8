"""From audio blocks to smoothed genre estimates."""
