"""Drift: compare the inferences of two spans of time, or with a baseline."""
