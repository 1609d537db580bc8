"""Knowledge distillation: a backbone learns to predict the values of teacher networks."""

from training.distillation.distill import DistillationConfig, distillation_entries
from training.distillation.ensemble import TeacherEnsemble

__all__ = ["DistillationConfig", "TeacherEnsemble", "distillation_entries"]
