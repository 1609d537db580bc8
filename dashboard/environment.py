"""Environment variables of the dashboard, and its default analyzer address."""

from typing import Final

ANALYZER_URL = "ws://127.0.0.1:8765"
"""Websocket address of ``overheard listen`` with its default settings."""

TOKEN_VARIABLE = "OVERHEARD_TOKEN"
"""Variable with the token for the analyzer. Options and addresses are no place for a token, since other
users of the machine can read them."""
KEY_VARIABLE = "OVERHEARD_PAGE_KEY"
"""Variable with the key that opens the page. If empty, the page needs no key."""
LIBRARY_VARIABLE = "OVERHEARD_LIBRARY"
"""Variable with the table of ``overheard library`` whose tracks the page offers."""

SPOTIFY_VARIABLES: Final = ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET")
"""Variables with the keys of Spotify, under the names that the client library spotipy uses."""
YOUTUBE_VARIABLE: Final = "YOUTUBE_API_KEY"
"""Variable with the key of YouTube."""
ITUNES_VARIABLE: Final = "ITUNES_SEARCH"
"""Variable that is 1 to search iTunes too, which needs no key."""
