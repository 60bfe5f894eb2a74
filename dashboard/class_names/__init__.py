"""Class names: read them where the workflow is deployed."""
