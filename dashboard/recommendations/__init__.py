"""Rolling song recommendations from live genre estimates."""
