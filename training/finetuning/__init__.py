"""Fine-tuning of the distilled network on genres and the detection of music."""

from training.finetuning.checkpoint import Checkpoint, checkpoint_name
from training.finetuning.finetune import FineTuner
from training.finetuning.recipe import FineTuningRecipe, TrainingRun

__all__ = ["Checkpoint", "FineTuner", "FineTuningRecipe", "TrainingRun", "checkpoint_name"]
