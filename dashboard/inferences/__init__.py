"""Inferences: filter, count and chart captured records."""
