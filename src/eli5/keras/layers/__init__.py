"""Where: the target layer, its grid, and where its cells lie in the input."""
