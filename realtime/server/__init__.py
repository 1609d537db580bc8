"""Websocket server with access control, HTTP endpoints and metrics."""
