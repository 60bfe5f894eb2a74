"""Overview: the state of the workflow on one screen."""
