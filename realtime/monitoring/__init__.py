"""Analysis of many radio stations at one websocket, in child processes or on a Ray cluster."""
