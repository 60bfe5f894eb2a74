"""Executions: sync the list and the histories, and show one or many."""
