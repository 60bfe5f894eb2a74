"""Watched workflows: which there are, what is known of them, and how to switch between them."""
