"""The feeds of the watched workflow, connected to each other: executions, failures, alerts."""
