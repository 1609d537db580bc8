"""Translations and local times."""
