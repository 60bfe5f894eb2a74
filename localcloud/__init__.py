"""An AWS endpoint in one process on 127.0.0.1, for running the workflow without an account."""
