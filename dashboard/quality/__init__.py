"""Quality: what the labels of drawn photos say about the model on all traffic."""
