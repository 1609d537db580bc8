"""The shipped model, its manifest and its model card."""

from training.release.model_card import render_model_card
from training.release.release import ReleaseArtifacts, ReleasePaths, publish, remeasure

__all__ = ["ReleaseArtifacts", "ReleasePaths", "publish", "remeasure", "render_model_card"]
