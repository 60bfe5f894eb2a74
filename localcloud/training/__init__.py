"""Training: what the local cloud does for a training job of SageMaker's image classification."""
