"""Batch: many photos classified at once by a distributed Map."""
