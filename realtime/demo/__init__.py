"""The bundled demonstration: real music under free licences; CREDITS.md names it."""
