"""Small cases that tests build instead of shipping real artefacts."""

import base64

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAA"
    "AABJRU5ErkJggg=="
)
"""A red PNG of 2 x 2 pixels."""

JPEG = b"\xff\xd8\xff\xe0" + bytes(16)
"""The first bytes of a JPEG."""
