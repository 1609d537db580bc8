"""Words that describe music beside its genre, learned from the teachers, and embeddings of likeness."""
