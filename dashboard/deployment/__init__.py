"""Deployment: show the plan, apply it and follow it."""
