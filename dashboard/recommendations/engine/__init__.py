"""Selection and ranking of the rolling playlist."""
