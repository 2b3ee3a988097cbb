"""What several tests share: models, docs, twins, files and checks."""
