"""What is explained: the number that is differentiated."""
