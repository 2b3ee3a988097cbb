"""From strings to tokens with their offsets, and from ids back to words."""
