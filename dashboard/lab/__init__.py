"""The lab: conditions that break something on purpose, to learn the pages and to drill a team."""
