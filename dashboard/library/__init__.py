"""Tracks of the user's own library that sound like other music, from the table of ``overheard library``."""
