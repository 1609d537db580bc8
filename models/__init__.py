"""The genre classifier with its input, manifest and files, and helpers that all packages share."""
