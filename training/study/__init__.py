"""Reproduction of the published study, the three protocols and the ablation."""
