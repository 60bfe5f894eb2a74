"""The demonstration: two weeks of history that a cloud may offer to write, and to remove again."""
