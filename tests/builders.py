"""Small cases that tests build instead of shipping real artefacts."""
