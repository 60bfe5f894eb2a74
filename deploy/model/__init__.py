"""The classifier: trained, measured, exported and packed for a SageMaker endpoint."""
