"""Service: what the services of the local cloud have in common."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from botocore import xform_name

from localcloud import wire
from localcloud.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.cloud import LocalCloud
    from localcloud.wire import Call, Params

T = TypeVar("T")

# Taken once: afterwards, setting the clock of the machine changes nothing.
_BOOT = time.time() - time.monotonic()


class Service:
    """One AWS service: a method for each operation it has, named as boto3 names it.

    Attributes:
        cloud: The cloud it belongs to, for its store, names and other services.
        name: botocore's name of the service.
        rest_is_motos: Whether moto answers the operations that the service has no method for.
    """

    name = ""
    rest_is_motos = False

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def start(self) -> None:
        """Begin work that needs the other services; called once all of them are made."""

    def close(self) -> None:
        """Deliver what is waiting and end what is running."""

    def find_operation(self, name: str) -> Callable[[Call], Params] | None:
        """Return the method that answers an operation of AWS; None where the service has none."""
        if name not in wire.operation_names(self.name):
            return None
        method: Callable[[Call], Params] | None = getattr(self, xform_name(name), None)
        return method


def paginate(
    items: Sequence[T], params: Params, *, size: str, token: str, default: int
) -> tuple[list[T], str | None]:
    """Return a page of a list and the token of the next: the number of items before it.

    Raises:
        AwsError: ``InvalidToken`` for a token that this cloud did not give.
    """
    given = params.get(token) or "0"
    if not str(given).isdigit():
        raise AwsError("InvalidToken", f"Invalid token: {given!r}.")
    start = int(given)
    end = start + int(params.get(size) or default)
    return list(items[start:end]), str(end) if end < len(items) else None


def now() -> float:
    """Return the time as seconds since 1970, to the millisecond as AWS gives it."""
    return round(time.time(), 3)


def monotonic_now() -> float:
    """Return the time as seconds since 1970, by a clock that nobody sets while the process runs."""
    return _BOOT + time.monotonic()


class Unowned(Exception):  # noqa: N818 - an outcome with a name of its own
    """A call that the service leaves to moto after all."""
