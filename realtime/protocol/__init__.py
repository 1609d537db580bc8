"""Websocket protocol: message types, stream states and the JSON Schema that documents them."""
