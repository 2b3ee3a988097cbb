"""How series are drawn."""
