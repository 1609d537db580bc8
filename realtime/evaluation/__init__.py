"""Evaluation of a model and of the live path on labeled audio."""
