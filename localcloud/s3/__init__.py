"""S3: buckets and objects on disk, and the REST dialect that S3 speaks."""
