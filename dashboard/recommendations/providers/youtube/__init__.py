"""The YouTube Data API as a song provider."""
