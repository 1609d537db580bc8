"""Scores, calibration and latency of networks and exported models."""
