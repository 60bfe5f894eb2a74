"""Protocols of the services: what they use of each other, so that none imports another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localcloud.container import ContainerAnswer
    from localcloud.message_attributes import Attributes
    from localcloud.wire import Call, Environ, Params, Response
    from workflow.settings import Settings


class Operates(Protocol):
    """A service as the cloud calls it."""

    rest_is_motos: bool

    def find_operation(self, name: str) -> Callable[[Call], Params] | None:
        """Return the method that answers an operation, None where there is none."""

    def close(self) -> None:
        """Deliver what is waiting and end what is running."""


class KeepsObjects(Protocol):
    """S3."""

    def answer_request(self, environ: Environ) -> Response:
        """Answer one HTTP request."""

    def object_exists(self, bucket: str, key: str) -> bool:
        """Return whether there is such an object."""

    def read_object(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """Return the bytes of an object; AwsError where there is none."""

    def write_object(self, bucket: str, key: str, body: bytes, content_type: str) -> bool:
        """Store an object; False where there is no such bucket."""

    def write_past(
        self, bucket: str, key: str, body: bytes, content_type: str, modified: float
    ) -> None:
        """Store an object as if it had been written at a time, seconds since 1970."""

    def remove_objects(self, bucket: str, keys: Iterable[str]) -> None:
        """Remove the newest versions of objects for good."""


class KeepsLogs(Protocol):
    """CloudWatch Logs."""

    def append_lines(self, group: str, stream: str, messages: list[str]) -> None:
        """Write lines, making group and stream as needed."""

    def append_past(self, rows: list[tuple[str, str, int, str]]) -> None:
        """Write lines at times of their own: group, stream, milliseconds since 1970, message."""

    def take_lines(self, start: int, end: int) -> list[tuple[str, str, int, str]]:
        """Take the lines of a window of milliseconds since 1970 away, in the order written."""


class KeepsMetrics(Protocol):
    """CloudWatch."""

    def record_count(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> None:
        """Record one of something."""

    def record_value(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, unit: str
    ) -> None:
        """Record a value now."""

    def record_past(
        self, rows: Iterable[tuple[str, str, Mapping[str, str], float, float, str]]
    ) -> None:
        """Record values at times of their own: namespace, name, dimensions, time, value, unit."""

    def all_values(self, name: str, start: float, end: float) -> list[float]:
        """Return the values of a name in a window of seconds since 1970."""

    def forget_window(self, start: float, end: float) -> None:
        """Forget the values of a window of seconds since 1970."""


class TakesEvents(Protocol):
    """EventBridge."""

    def publish_event(
        self,
        source: str,
        detail_type: str,
        resources: list[str],
        detail: Params,
        moment: float | None = None,
    ) -> str:
        """Publish an event on the default bus; return its id."""


class TakesMessages(Protocol):
    """SQS."""

    def offer_message(self, arn: str, body: str, attributes: Attributes | None = None) -> bool:
        """Send a message to a queue; False where there is none."""


class SpreadsMessages(Protocol):
    """SNS."""

    def deliver_message(
        self,
        arn: str,
        message: str,
        subject: str | None,
        attributes: Attributes | None = None,
        by_protocol: Mapping[str, str] | None = None,
    ) -> str:
        """Deliver a message to the subscribers of a topic; return its id."""


class ServesModels(Protocol):
    """SageMaker's endpoints."""

    def invoke_variant(
        self, name: str, variant: str | None, body: bytes, kind: str, accept: str
    ) -> tuple[ContainerAnswer, Params, Params]:
        """Return the container's answer, the variant that gave it, and what is deployed."""

    def ask_variant(
        self, name: str, chosen: Params, body: bytes, kind: str, accept: str
    ) -> ContainerAnswer:
        """Return what one variant of an endpoint answers."""

    def backdate(self, name: str, at: float) -> None:
        """Have an endpoint, its configuration and its models be as old as a time."""


class PlaysStory(Protocol):
    """The demonstration."""

    def status(self) -> dict[str, Any]:
        """Return how far it has come."""

    def start(self, settings: Settings, *, utc_offset: float) -> dict[str, Any]:
        """Begin to write it; return its status."""

    def remove(self, settings: Settings) -> dict[str, Any]:
        """Remove what it wrote; return its status."""


class HoldsConditions(Protocol):
    """The lab."""

    def status(self) -> dict[str, bool]:
        """Return whether each condition is on, by its name."""

    def begin_condition(self, name: str, settings: Settings) -> None:
        """Begin a condition."""

    def end_condition(self, name: str) -> None:
        """End a condition."""
