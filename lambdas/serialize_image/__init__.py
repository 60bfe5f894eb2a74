"""SerializeImage: an S3 object becomes base64 in the state, or a checked reference to it."""
