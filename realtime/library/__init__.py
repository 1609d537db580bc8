"""Batch analysis of music libraries into a Parquet table."""
