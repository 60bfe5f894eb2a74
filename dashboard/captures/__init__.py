"""Captures: read from S3 or asked of Athena, kept in the store, offered as one feed."""
