"""Song services behind one interface."""
