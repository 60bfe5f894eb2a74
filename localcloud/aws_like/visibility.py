"""Visibility: remembers what was made and deleted, and which calls do not know of it yet."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from localcloud.aws_like.account import AwsLike
from localcloud.aws_like.visibility_rules import RULES, Lag, LaggedChange
from localcloud.errors import AwsError
from localcloud.wire import Call, Params, Response

_PARTS = re.compile(r"[:/]")

_MOST = 10_000
_LONGEST = max(lag.seconds for change in RULES for lag in change.lags)
"""So many changes are remembered whatever their age; above that those that still matter."""

_Key = tuple[str, str, str]
"""Service, operation and name of a change."""


@dataclass(frozen=True, slots=True)
class Empty:
    """The result of a call that does not see yet what it asks for."""

    result: Mapping[str, object]


class Visibility:
    """What the calls of one account know of.

    Args:
        aws_like: How long they lag behind.
        names: ``partition``, ``region`` and ``account``, for the messages.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        aws_like: AwsLike,
        names: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws_like = aws_like
        self._names = names
        self._clock = clock
        self._lock = threading.Lock()
        self._changed: dict[_Key, float] = {}

    def note_change(self, call: Call, answer: bytes) -> None:
        """Remember what a call has changed that has succeeded.

        What is made a second time, as PutRule does with a rule that exists, is known already.

        Args:
            call: The call.
            answer: The body of its answer; JSON where a name is taken from it.
        """
        moment = self._clock()
        with self._lock:
            for change in _CHANGES.get((call.service, call.operation), ()):
                source = call.params if change.source == "params" else json.loads(answer)
                for value in _values_at(source, change.field):
                    name = value if change.source == "answer" else _PARTS.split(value)[-1]
                    self._changed.pop((change.service, change.undoes, name), None)
                    if change.lags:
                        key = (change.service, change.operation, name)
                        self._changed.setdefault(key, moment)
            if len(self._changed) > _MOST:
                self._changed = {k: t for k, t in self._changed.items() if moment - t < _LONGEST}

    def check_visible(self, call: Call) -> Empty | None:
        """Return the result of a call that lags behind a change; None for one that does not.

        Raises:
            AwsError: The call lags behind, and fails by it.
        """
        for change, lag in _LAGS.get((call.service, call.operation), ()):
            if lag.given and not any(True for _ in _values_at(call.params, lag.given)):
                continue
            for field in lag.fields.split():
                for value in _values_at(call.params, field):
                    name = self._find_lagging(change, lag, value)
                    if name is None:
                        continue
                    if lag.empty is not None:
                        return Empty(lag.empty)
                    words = {"value": value, "name": name, "lower": name.lower(), **self._names}
                    raise AwsError(lag.code, lag.message.format(**words), lag.status)
        return None

    def filter_listing(self, call: Call, response: Response) -> Response:
        """Return the answer of a listing without what it does not know yet."""
        for change, lag in _LAGS.get((call.service, call.operation), ()):
            if lag.listed:
                member, field = lag.listed.split(".")
                content = json.loads(response.body)
                items = content[member]
                kept = [one for one in items if self._find_lagging(change, lag, one[field]) is None]
                body = json.dumps({**content, member: kept}).encode()
                response = replace(response, body=body)
        return response

    def _find_lagging(self, change: LaggedChange, lag: Lag, value: str) -> str | None:
        """Return the name of a resource that a value means and that the call does not know yet."""
        candidates = (value,) if change.source == "answer" else _PARTS.split(value)
        for name in candidates:
            key = (change.service, change.operation, name)
            with self._lock:
                since = self._changed.get(key)
            if since is None:
                continue
            if self._clock() - since < self._lag_seconds(lag, key):
                return name
        return None

    def _lag_seconds(self, lag: Lag, key: _Key) -> float:
        # Drawn by the key: a resource lags as long in each run with the same seed.
        share = self._aws_like.random_for(*key, lag.service, lag.operations).uniform(0.5, 1)
        return lag.seconds * share / self._aws_like.speed


def _values_at(params: Params | Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield every text at a path of names; lists on the way are gone through."""
    found: list[Any] = [params]
    for name in path.split("."):
        found = [item[name] for item in found if isinstance(item, Mapping) and name in item]
        found = [one for item in found for one in (item if isinstance(item, list) else [item])]
    for item in found:
        yield item if isinstance(item, str) else ""


def _index_changes() -> dict[tuple[str, str], list[LaggedChange]]:
    found: dict[tuple[str, str], list[LaggedChange]] = {}
    for change in RULES:
        found.setdefault((change.service, change.operation), []).append(change)
    return found


def _index_lags() -> dict[tuple[str, str], list[tuple[LaggedChange, Lag]]]:
    found: dict[tuple[str, str], list[tuple[LaggedChange, Lag]]] = {}
    for change in RULES:
        for lag in change.lags:
            for operation in lag.operations.split():
                found.setdefault((lag.service, operation), []).append((change, lag))
    return found


_CHANGES = _index_changes()
_LAGS = _index_lags()
