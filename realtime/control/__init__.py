"""Control of the sources while the server runs: open, switch, pause, resume and measure their levels."""
