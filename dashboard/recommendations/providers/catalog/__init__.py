"""Song provider for the bundled catalog."""
