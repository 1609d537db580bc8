"""The bundled demonstration: music under free licenses, which CREDITS.md lists."""
