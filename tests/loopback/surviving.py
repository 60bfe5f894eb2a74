"""A test that hides its connection beyond loopback; only ``tests/test_loopback.py`` runs it."""

import contextlib
import socket


def test_a_program_survives_a_refusal() -> None:
    with contextlib.suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), timeout=5)
