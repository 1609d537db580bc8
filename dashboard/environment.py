"""Environment variables of the dashboard, and its default analyzer address."""

ANALYZER_URL = "ws://127.0.0.1:8765"
"""Websocket address of ``overheard listen`` with its default settings."""

TOKEN_VARIABLE = "OVERHEARD_TOKEN"
"""Variable with the token for the analyzer. Options and addresses are no place for a token, since other
users of the machine can read them."""
