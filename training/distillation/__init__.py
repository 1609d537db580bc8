"""Knowledge distillation: a backbone learns to predict the teacher's embeddings."""
