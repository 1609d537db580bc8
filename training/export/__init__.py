"""Conversion of a trained network to full-int8 TFLite."""
