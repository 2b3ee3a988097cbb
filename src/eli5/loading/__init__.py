"""What comes from outside, for the command line and for bulk alike: models, pictures, labels."""
