"""The page that a person looks at: what is heard now, and what to play next."""
