"""History of the analyzer: sessions, segments and label corrections in an SQLite file.

Names are imported from the modules, because a start without a history needs none but ``location``.
"""
