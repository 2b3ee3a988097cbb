"""What came in: from a doc to what is explained of it, one file per kind."""
