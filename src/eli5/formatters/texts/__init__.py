"""How weighted texts are shown."""
