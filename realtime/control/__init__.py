"""Starts, switches, pauses and measures sources while the server runs."""
