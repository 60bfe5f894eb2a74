"""What ``make nightly`` tries often, and every other run a few times."""

import os

NIGHTLY = bool(os.environ.get("SCONES_NIGHTLY"))


def often(nightly: int, otherwise: int) -> int:
    """Return how often to try something by chance: seeds, kills, flipped bytes."""
    return nightly if NIGHTLY else otherwise
