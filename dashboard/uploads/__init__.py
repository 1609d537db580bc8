"""Analysis of uploaded files in child processes."""
