"""Demonstration: two weeks of history for a fresh deployment, so that every page has something."""
