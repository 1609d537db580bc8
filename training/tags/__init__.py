"""Tags that describe music beside its genre, learned from the teachers, and the similarity embedding."""
