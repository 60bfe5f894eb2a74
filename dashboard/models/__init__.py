"""View models: pure functions from records to what a page shows."""
