"""Explanations in files, written whole or not at all, and read back."""
