"""Photos at addresses of the web, from public hosts only and never without a bound.

A dashboard inside of a company can reach what a stranger cannot. So an address is https on its
usual port, every address that its name stands for is public, the connection goes to the very one
that was looked at (a name may change what it stands for), and no redirect is followed.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from dashboard.aws.images import Upload
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError

SECONDS: Final = 10.0
"""For each answer of the network."""
BODY_SECONDS: Final = 60.0
PORT: Final = 443
_OK: Final = 200
_UNICAST: Final = ipaddress.ip_network("2000::/3")

Resolve = Callable[[str], Sequence[str]]
"""Gives the IP addresses of a name."""


def fetch_photo(address: str) -> Upload:
    """Return the photo at an address, named after the end of its path.

    Raises:
        WorkflowError: ``AddressRefused`` where the address is not one to ask, ``AddressFailed``
            where it gives no file, ``ImageTooLarge`` where that is longer than a photo may be.
    """
    host, path = check_address(address)
    connection = _Pinned(host, public_place(host, resolve_host))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != _OK:
            raise _failed_error(address, f"it answered with status {answer.status}")
        data = _read_body(answer)
    except (OSError, http.client.HTTPException) as error:
        raise _failed_error(address, type(error).__name__) from error
    finally:
        connection.close()
    if len(data) > MAX_IMAGE_BYTES:
        raise WorkflowError(
            "ImageTooLarge",
            f"{address} gives more than {MAX_IMAGE_BYTES:,} bytes.",
            "Download it, make it smaller and choose the file.",
        )
    return Upload(unquote(path.partition("?")[0].rpartition("/")[2]) or host, data)


class _Pinned(http.client.HTTPSConnection):
    """A connection to one IP address of a host, which proves by its certificate to be that host."""

    def __init__(self, host: str, place: str) -> None:
        super().__init__(host, PORT, timeout=SECONDS)
        self._place = place

    def connect(self) -> None:
        plain = socket.create_connection((self._place, PORT), SECONDS)
        # The certificate must be that of the name, though the connection is to the address.
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def check_address(address: str) -> tuple[str, str]:
    """Return the host and the path with its query of an https address.

    Raises:
        WorkflowError: ``AddressRefused``.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise _refused_error(address, f"it is not an address ({error})") from error
    # Plain http could be answered by anybody on the way.
    if parts.scheme != "https":
        raise _refused_error(address, "it does not begin with https://")
    if not parts.hostname or parts.username is not None or port not in (None, PORT):
        raise _refused_error(address, "it has no host, a user or a port of its own")
    path = parts.path or "/"
    return parts.hostname, f"{path}?{parts.query}" if parts.query else path


def public_place(host: str, resolve: Resolve) -> str:
    """Return an IP address of a host, all of whose addresses are public.

    Raises:
        WorkflowError: ``AddressRefused``.
    """
    try:
        places = [ipaddress.ip_address(place) for place in resolve(host)]
    except (OSError, ValueError) as error:
        raise _refused_error(host, "its name cannot be resolved") from error
    # All of them: which one a resolver gives first may change from call to call.
    if not places or not all(_is_public(place) for place in places):
        raise _refused_error(host, "it lies in a private network")
    # The connection goes to this one: resolving again could give another (DNS rebinding).
    return str(places[0])


def resolve_host(host: str) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _is_public(place: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # ``::ffff:10.0.0.1`` is as private as the address that is mapped in it.
    mapped = getattr(place, "ipv4_mapped", None)
    inner = mapped or place
    if isinstance(inner, ipaddress.IPv6Address) and (
        inner not in _UNICAST or inner.sixtofour is not None
    ):
        return False  # 6to4 and NAT64 lead to any address of IPv4, private ones among them
    return inner.is_global and not inner.is_multicast


def _read_body(answer: http.client.HTTPResponse) -> bytes:
    """Return the body, or the beginning of one that is too long.

    Raises:
        TimeoutError: It takes longer than ``BODY_SECONDS``; each part of it may be in time.
    """
    until = time.monotonic() + BODY_SECONDS
    # One byte more than allowed proves that it is too long, whatever Content-Length says.
    body = b""
    while len(body) <= MAX_IMAGE_BYTES and (part := answer.read1(MAX_IMAGE_BYTES + 1 - len(body))):
        body += part
        if time.monotonic() > until:
            raise TimeoutError
    return body


def _refused_error(address: str, why: str) -> WorkflowError:
    return WorkflowError(
        "AddressRefused",
        f"{address} is not fetched: {why}.",
        "Give the https address of a photo on a public host, or download it and choose the file.",
    )


def _failed_error(address: str, why: str) -> WorkflowError:
    return WorkflowError(
        "AddressFailed",
        f"{address} does not give a photo: {why}.",
        "Open it in a browser: give the address it ends at, or download the photo.",
    )
