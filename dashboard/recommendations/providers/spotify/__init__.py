"""The Spotify Web API as a song provider."""
