"""Stand-ins that bring their own time and their own answers."""
