"""Start, switch, pause and measure sources while the server runs."""
