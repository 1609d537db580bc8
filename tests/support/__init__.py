"""Helpers, fakes and real servers that tests share."""
