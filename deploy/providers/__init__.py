"""The AWS side of deploy: one file a service, and boto3 nowhere else."""
