"""Audit: who did what, when, on which request, and with which result."""
