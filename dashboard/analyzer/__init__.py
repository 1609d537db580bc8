"""Client of the analyzer: websocket feed, HTTP requests, the newest state."""
