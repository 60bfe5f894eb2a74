"""Parameters: the members of an operation's input that it honours; any other is refused.

``parameters.toml`` lists them for every operation that this cloud answers itself. S3 has a list of
its own (``s3/parameters.py``), and what moto answers has none.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from localcloud.errors import AwsError
from localcloud.wire import Call

_TABLE = Path(__file__).with_name("parameters.toml")
_KEPT, _IDLE = "~", "-"


@dataclass(frozen=True)
class Honoured:
    """The members of one operation that are honoured, by path: ``Tags``, ``Targets.Arn``.

    The path of a structure, a list or a map stands for everything in it.

    Attributes:
        used: What the operation uses, or refuses as AWS refuses it.
        kept: What is kept and shown, and has no other effect here.
        idle: What changes nothing on AWS either.
        only: What is honoured with some values only: those; case does not matter.
    """

    used: frozenset[str]
    kept: frozenset[str]
    idle: frozenset[str]
    only: Mapping[str, frozenset[str]]

    @cached_property
    def paths(self) -> frozenset[str]:
        """All paths."""
        return self.whole | self.only.keys()

    @cached_property
    def whole(self) -> frozenset[str]:
        """The paths that are honoured whatever their values are."""
        return self.used | self.kept | self.idle

    def find_refused(self, given: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any input
        """Yield the paths of what is given and not honoured.

        Args:
            given: The input of the operation, or the member at ``path``.
            path: Where it is.
        """
        if given is None or path in self.whole:
            return
        if path in self.only:
            if str(given).lower() not in map(str.lower, self.only[path]):
                yield path
        elif path and not any(known.startswith(f"{path}.") for known in self.paths):
            yield path
        else:
            for item in given if isinstance(given, list) else [given]:
                members = item.items() if isinstance(item, Mapping) else ()
                for name, value in members:
                    yield from self.find_refused(value, f"{path}.{name}" if path else name)


def check_parameters(call: Call) -> None:
    """Refuse a call that gives what its operation does not honour.

    Raises:
        AwsError: ``NotImplemented``, with the path of the first such member.
    """
    honoured = load_table().get(call.service, {}).get(call.operation)
    if honoured is None:
        return
    for path in honoured.find_refused(call.params):
        values = honoured.only.get(path)
        unless = f" with another value than {' or '.join(sorted(values))}" if values else ""
        raise AwsError(
            "NotImplemented",
            f"The local cloud does not implement {path} of {call.operation}{unless}; "
            "docs/local-cloud.md lists what it does not implement.",
            501,
        )


@cache
def load_table() -> Mapping[str, Mapping[str, Honoured]]:
    """Return what the operations honour, by botocore's names of service and operation."""
    read = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        service: {name: _parse_words(text.split()) for name, text in operations.items()}
        for service, operations in read.items()
    }


def _parse_words(words: list[str]) -> Honoured:
    valued = [word.partition("=") for word in words if "=" in word]
    return Honoured(
        used=frozenset(w for w in words if "=" not in w and w[0] not in (_KEPT, _IDLE)),
        kept=frozenset(word.removeprefix(_KEPT) for word in words if word.startswith(_KEPT)),
        idle=frozenset(word.removeprefix(_IDLE) for word in words if word.startswith(_IDLE)),
        only={path: frozenset(values.split("|")) for path, _, values in valued},
    )
