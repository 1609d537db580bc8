"""Accuracy of the shipped model and of the live path on labeled audio."""
