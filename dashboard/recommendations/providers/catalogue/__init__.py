"""The bundled song catalogue as a song provider."""
