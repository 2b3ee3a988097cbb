"""What `eli5.saving` writes and reads: an explanation as JSON, alone or beside NumPy arrays."""
