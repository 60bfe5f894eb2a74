"""ClassifyImage: an image becomes the endpoint's class probabilities."""
