"""Websocket server of the estimates, with access control, HTTP endpoints and metrics."""
