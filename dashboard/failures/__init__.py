"""Failures: group failed executions, keep the team's decisions, and repair."""
