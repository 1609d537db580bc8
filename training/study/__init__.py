"""Reproduction of the published study, the three protocols and the ablation."""

from training.study.features import FeatureSet
from training.study.fold_training import StudyPlan, train_carried, train_fresh
from training.study.report import format_study_table, format_verdict

__all__ = ["FeatureSet", "StudyPlan", "format_study_table", "format_verdict", "train_carried", "train_fresh"]
