"""History of the analyzer: sessions, segments and label corrections in an SQLite file.

Names are imported from their modules, because a start without a history needs only ``location``.
"""
