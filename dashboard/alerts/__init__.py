"""Alerts: what is sent to people when failures are new or back."""
