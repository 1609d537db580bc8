"""Scores, calibration and latency of networks and of exported models."""
