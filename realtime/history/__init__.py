"""Sessions, segments and label corrections in SQLite."""
