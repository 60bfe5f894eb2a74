"""Data health: compare what was captured with what should have been."""
