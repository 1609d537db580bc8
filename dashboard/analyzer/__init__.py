"""Client of the analyzer: websocket feed, HTTP requests, newest state."""
