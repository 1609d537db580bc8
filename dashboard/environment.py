"""Environment variables of the dashboard, and the address that it connects to by default."""

ANALYZER_URL = "ws://127.0.0.1:8765"
"""Websocket of an analyzer that ``overheard listen`` started with its defaults."""

TOKEN_VARIABLE = "OVERHEARD_TOKEN"
"""Variable that holds the analyzer's token, because other users can read options and addresses."""
