"""Fine-tuning of the distilled network on genres and the detection of music."""
