"""Batch analysis of music libraries into a Parquet table, on one machine or a Ray cluster."""
