"""Corpora and batches: from recordings and published arrays to training windows."""
