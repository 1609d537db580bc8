"""Song provider for the bundled catalogue."""
