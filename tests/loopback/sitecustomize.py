"""Refuse connections beyond loopback in every Python process that tests start.

``tests/conftest.py`` puts this directory on ``PYTHONPATH``, so Python imports the module when it
starts. What is refused is also written to the file that ``TESTS_BEYOND_LOOPBACK`` names, and
fails the run: a program may well survive the refusal. It sees what goes through Python's sockets,
not what compiled code does by itself, and no process that gets an environment of its own.
"""

import errno
import ipaddress
import os
import socket
import sys
from typing import Any

REPORT = "TESTS_BEYOND_LOOPBACK"
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine's own."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _beyond(event: str, args: tuple[Any, ...]) -> str | None:
    """Return the host beyond loopback that an audited event of Python would reach."""
    if event in _LOOKUPS:
        host = os.fsdecode(args[0] or "")
        # The name of this machine and addresses are looked up without asking another one.
        known = host == socket.gethostname() or _address(host) is not None
        return None if known or is_loopback(host) else host
    if event in _SENDS and isinstance(args[1], tuple) and isinstance(args[1][0], str):
        host = args[1][0]
        return None if is_loopback(host) or host == socket.gethostname() else host
    return None


def note(what: str) -> None:
    """Write to the report what would have gone beyond loopback, and in which test."""
    if report := os.environ.get(REPORT):
        test = os.environ.get("PYTEST_CURRENT_TEST", "outside of a test")
        with open(report, "a", encoding="utf-8") as file:  # noqa: PTH123 - this runs at start-up
            file.write(f"{what}: {test}: {' '.join(sys.argv)[:200]}\n")


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    host = _beyond(event, args)
    if host is None:
        return
    note(f"{event} {host}")
    raise OSError(errno.ENETUNREACH, f"Tests reach nothing beyond loopback, and so not {host}")


sys.addaudithook(_refuse)
