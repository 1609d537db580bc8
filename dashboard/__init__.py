"""The dashboard: web pages with live genres, history and song recommendations."""
