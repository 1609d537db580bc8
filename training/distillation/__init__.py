"""Knowledge distillation: a backbone learns to predict the embeddings of a teacher network."""

from training.distillation.distill import DistillationConfig, distillation_entries
from training.distillation.teacher import Teacher

__all__ = ["DistillationConfig", "Teacher", "distillation_entries"]
