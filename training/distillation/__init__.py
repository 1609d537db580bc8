"""Knowledge distillation: a backbone learns to predict the embeddings of a teacher network."""
