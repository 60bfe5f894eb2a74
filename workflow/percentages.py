"""Percentages as command lines take them."""

import argparse


def parse_percentage(text: str) -> int:
    """Read a whole number from 1 to 100.

    Raises:
        argparse.ArgumentTypeError: It is outside of that range.
        ValueError: It is not a whole number.
    """
    value = int(text)
    if not 1 <= value <= 100:  # noqa: PLR2004 - a percentage
        raise argparse.ArgumentTypeError("a whole number from 1 to 100")
    return value
