"""Analysis of many radio stations at one websocket, on processes or a Ray cluster."""
