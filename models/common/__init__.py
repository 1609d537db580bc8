"""Helpers without domain knowledge that every package may use."""
