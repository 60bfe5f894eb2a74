"""FilterInferences: class probabilities become a decision about the confidence threshold."""
