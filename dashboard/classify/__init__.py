"""Classify: submit images and follow their executions."""
