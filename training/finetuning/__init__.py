"""Fine-tuning of the distilled network on genres and music detection."""
