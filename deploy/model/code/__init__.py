"""What runs inside the inference container; packed into model.tar.gz file by file."""
