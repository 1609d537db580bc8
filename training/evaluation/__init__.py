"""Scores, calibration and latency of networks and of exported models."""

from training.evaluation.predictions import Predictions, predict_logits
from training.evaluation.protocol_table import PROTOCOLS, ProtocolScore
from training.evaluation.report import Report, calibrate

__all__ = ["PROTOCOLS", "Predictions", "ProtocolScore", "Report", "calibrate", "predict_logits"]
