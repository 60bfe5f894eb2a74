"""Threshold: read it where it is deployed, and apply another."""
