"""Texts in five languages, and local times."""
