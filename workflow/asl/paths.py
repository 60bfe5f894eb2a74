"""Paths: the JSONPath of the States Language, parsed and evaluated as AWS does it.

AWS evaluates paths with Jayway's JsonPath: a path that can match only one value gives that value
or fails; a path that may match many (wildcards, slices, filters, ``..``) gives an array, empty
where nothing matches. https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html

More than 400 lines because the grammar of paths is read and evaluated side by side, as AWS
documents it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from workflow.asl.data import Scope, json_equal, type_name

_ROOT: Final = re.compile(r"\$\$|\$(?P<variable>[^\W\d]\w*)?")
_NAME: Final = re.compile(r"[^\s.\[\]()'\",*?@=<>!&|]+")
_INTEGER: Final = re.compile(r"-?\d+")
_SLICE: Final = re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_OPERATOR: Final = re.compile(r"==|!=|<=|>=|=~|<|>|in\b")
_WORDS: Final = {"true": True, "false": False, "null": None}


class InvalidPath(ValueError):  # noqa: N818 - the text is invalid, not the program
    """Text that is not a path."""


class PathNotFound(LookupError):  # noqa: N818 - as above
    """A path to one value that is not there; its text is Jayway's message."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a path.

    Attributes:
        kind: ``key``, ``index``, ``wildcard``, ``slice``, ``union``, ``filter`` or ``descend``.
        value: The key, the index, the bounds, the keys or indices, or the filter's test.
    """

    kind: str
    value: Any = None


Test = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path.

    Attributes:
        text: As it was written.
        root: ``$`` for the input, ``$$`` for the context object, else the name of a variable.
        steps: The steps from there.
    """

    text: str
    root: str
    steps: tuple[PathStep, ...]

    @property
    def definite(self) -> bool:
        """Whether it can match only one value."""
        return all(step.kind in ("key", "index") for step in self.steps)

    @property
    def is_reference(self) -> bool:
        """Whether it can name the place where a result goes: a path of keys and indices."""
        return self.root == "$" and self.definite


@lru_cache(4096)
def parse(text: str) -> Path:
    """Parse a path.

    Raises:
        InvalidPath: The text is not a path.
    """
    reader = _Reader(text)
    match = _ROOT.match(text)
    if match is None:
        raise InvalidPath(f"'{text}' does not start with '$'.")
    reader.at = match.end()
    steps = tuple(reader.read_steps())
    if reader.at != len(text):
        raise InvalidPath(f"'{text}' cannot be read from character {reader.at + 1}.")
    return Path(text, match["variable"] or match[0], steps)


def evaluate(path: Path, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a path, or the array of all that an indefinite path matches.

    Raises:
        PathNotFound: A definite path leads to nothing, or there is no such variable.
    """
    root = _find_root(path, scope)
    if path.definite:
        return _follow_steps(path.steps, root)
    found = [root]
    for step in path.steps:
        found = [value for item in found for value in _match_step(step, item, root)]
    return found


def assign_value(path: Path, target: Any, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a copy of ``target`` with ``value`` where a reference path points.

    Objects that are missing on the way are created.

    Raises:
        PathNotFound: The path leads through a value that is not an object or array; its text names
            the step.
    """
    if not path.steps:
        return value
    return _assign_steps(path.steps, target, value)


def _assign_steps(steps: tuple[PathStep, ...], target: Any, value: Any) -> Any:  # noqa: ANN401
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step.kind == "index":
        if not isinstance(target, list) or not -len(target) <= step.value < len(target):
            raise PathNotFound(str(step.value))
        # A copy: the input of a state must not change under the states that still hold it.
        changed = list(target)
        changed[step.value] = _assign_steps(rest, target[step.value], value)
        return changed
    if not isinstance(target, dict):
        raise PathNotFound(str(step.value))
    # Missing objects are created on the way, as ResultPath does; missing array items are not.
    inner = target.get(step.value, {} if rest else None)
    return {**target, step.value: _assign_steps(rest, inner, value)}


def _find_root(path: Path, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    if path.root == "$":
        return scope.input
    if path.root == "$$":
        return scope.context
    if path.root not in scope.variables:
        raise PathNotFound(f"No results for path: ${path.root}")
    return scope.variables[path.root]


def _follow_steps(steps: tuple[PathStep, ...], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    walked = "$"
    for number, step in enumerate(steps):
        here = f"{walked}[{_quote_key(step.value)}]"
        last = number == len(steps) - 1
        # The messages are Jayway's, word for word: executions on AWS fail with them.
        if step.kind == "key" and isinstance(value, dict):
            if step.value not in value:
                how = "No results for path" if last else "Missing property in path"
                raise PathNotFound(f"{how}: {here}" if last else f"{how} {here}")
            value = value[step.value]
        elif step.kind == "index" and isinstance(value, list):
            if not -len(value) <= step.value < len(value):
                raise PathNotFound(f"No results for path: {here}")
            value = value[step.value]
        elif step.kind == "key":
            raise PathNotFound(
                f"Expected to find an object with property [{_quote_key(step.value)}] in path"
                f" {walked} but found '{type_name(value)}'."
            )
        else:
            raise PathNotFound(
                f"Filter: [{step.value}] can only be applied to arrays. Current context is: {value}"
            )
        walked = here
    return value


def _quote_key(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _match_step(step: PathStep, value: Any, root: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield what a step of an indefinite path finds in one value; nothing where it does not fit."""
    inner = _child_values(value)
    if step.kind == "descend":
        yield value
        for item in inner:
            yield from _match_step(step, item, root)
    elif step.kind == "wildcard":
        yield from inner
    elif step.kind == "filter":
        yield from (item for item in inner if step.value(item, root))
    elif step.kind == "slice":
        if isinstance(value, list):
            yield from value[slice(*step.value)]
    else:
        for part in step.value if step.kind == "union" else (step.value,):
            fits = isinstance(value, list if isinstance(part, int) else dict)
            inside = isinstance(part, int) and fits and -len(value) <= part < len(value)
            if inside or (fits and not isinstance(part, int) and part in value):
                yield value[part]


def _child_values(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class _Reader:
    """Reads the text of a path from ``at`` on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def read_steps(self) -> Iterator[PathStep]:
        """Yield the steps up to the first character that belongs to none."""
        while self.at < len(self.text):
            if self._take_word(".."):
                yield PathStep("descend")
                yield self._read_bracket() if self._take_word("[") else self._read_child()
            elif self._take_word("."):
                yield self._read_child()
            elif self._take_word("["):
                yield self._read_bracket()
            else:
                return

    def _take_word(self, word: str) -> bool:
        found = self.text.startswith(word, self.at)
        self.at += len(word) if found else 0
        return found

    def _match_pattern(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def _skip_spaces(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def _expect_word(self, word: str) -> None:
        self._skip_spaces()
        if not self._take_word(word):
            raise InvalidPath(f"'{self.text}' lacks '{word}' at character {self.at + 1}.")

    def _read_child(self) -> PathStep:
        if self._take_word("*"):
            return PathStep("wildcard")
        match = self._match_pattern(_NAME)
        if match is None:
            raise InvalidPath(f"'{self.text}' lacks a name at character {self.at + 1}.")
        return PathStep("key", match[0])

    def _read_bracket(self) -> PathStep:
        self._skip_spaces()
        if self._take_word("?"):
            self._expect_word("(")
            test = self._read_or()
            self._expect_word(")")
            step = PathStep("filter", test)
        elif self._take_word("*"):
            step = PathStep("wildcard")
        # Before an index, which a slice may begin with.
        elif match := self._match_pattern(_SLICE):
            bounds = tuple(None if part is None else int(part) for part in match.groups())
            if bounds[2] == 0:
                raise InvalidPath(f"'{self.text}' has a slice with a step of 0.")
            step = PathStep("slice", bounds)
        else:
            step = self._read_names()
        self._expect_word("]")
        return step

    def _read_names(self) -> PathStep:
        parts: list[str | int] = [self._read_name()]
        self._skip_spaces()
        while self._take_word(","):
            parts.append(self._read_name())
            self._skip_spaces()
        if len(parts) > 1:
            return PathStep("union", tuple(parts))
        return PathStep("index" if isinstance(parts[0], int) else "key", parts[0])

    def _read_name(self) -> str | int:
        self._skip_spaces()
        if self.text[self.at : self.at + 1] in ("'", '"'):
            return self._read_string()
        match = self._match_pattern(_INTEGER)
        if match is None:
            raise InvalidPath(f"'{self.text}' has no key or index at character {self.at + 1}.")
        return int(match[0])

    def _read_string(self) -> str:
        """Read a quoted string; a backslash escapes its quote and itself only."""
        quote, made = self.text[self.at], ""
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            following = self.text[self.at + 1 : self.at + 2]
            if char == "\\" and following in (quote, "\\"):
                made += following
                self.at += 2
                continue
            self.at += 1
            if char == quote:
                return made
            made += char
        raise InvalidPath(f"'{self.text}' has a string that does not end.")

    # -- filters: ?(@.price < 10 && @.kind == 'a') --------------------------------------------

    def _read_or(self) -> Test:
        # && binds closer than ||.
        tests = [self._read_and()]
        self._skip_spaces()
        while self._take_word("||"):
            tests.append(self._read_and())
            self._skip_spaces()
        return lambda item, root: any(test(item, root) for test in tests)

    def _read_and(self) -> Test:
        tests = [self._read_test()]
        self._skip_spaces()
        while self._take_word("&&"):
            tests.append(self._read_test())
            self._skip_spaces()
        return lambda item, root: all(test(item, root) for test in tests)

    def _read_test(self) -> Test:
        self._skip_spaces()
        if self._take_word("!"):
            test = self._read_test()
            return lambda item, root: not test(item, root)
        if self._take_word("("):
            test = self._read_or()
            self._expect_word(")")
            return test
        left, is_path = self._read_operand()
        self._skip_spaces()
        operator = self._match_pattern(_OPERATOR)
        if operator is None:
            if not is_path:
                raise InvalidPath(f"'{self.text}' has a filter that compares nothing.")
            return lambda item, root: bool(left(item, root))
        self._skip_spaces()
        right = self._read_pattern() if operator[0] == "=~" else self._read_operand()[0]
        compare = _COMPARISONS[operator[0]]
        return lambda item, root: any(
            # A path may give several values: one pair that compares is enough.
            compare(one, other)
            for one in left(item, root)
            for other in right(item, root)
        )

    def _read_operand(self) -> tuple[Callable[[Any, Any], list[Any]], bool]:
        """Return what gives the values of a side of a comparison, and whether it is a path."""
        self._skip_spaces()
        start = self.text[self.at : self.at + 1]
        if start in ("@", "$"):
            self.at += 1
            steps = tuple(self.read_steps())
            return lambda item, root: _find_values(
                steps, item if start == "@" else root, root
            ), True
        value = self._read_literal(start)
        return lambda _item, _root: [value], False

    def _read_literal(self, start: str) -> Any:  # noqa: ANN401 - any JSON value
        if start in ("'", '"'):
            return self._read_string()
        if start == "[":
            self.at += 1
            items: list[Any] = []
            while not self._take_word("]"):
                self._skip_spaces()
                items.append(self._read_literal(self.text[self.at : self.at + 1]))
                self._skip_spaces()
                self._take_word(",")
            return items
        if match := self._match_pattern(_NUMBER):
            return float(match[0]) if set(match[0]) & set(".eE") else int(match[0])
        for word, value in _WORDS.items():
            if self._take_word(word):
                return value
        raise InvalidPath(f"'{self.text}' has a filter that cannot be read.")

    def _read_pattern(self) -> Callable[[Any, Any], list[Any]]:
        match = self._match_pattern(re.compile(r"/((?:[^/\\]|\\.)*)/(i?)"))
        if match is None:
            raise InvalidPath(f"'{self.text}' lacks a pattern after '=~'.")
        try:
            pattern = re.compile(match[1], re.IGNORECASE if match[2] else 0)
        except re.error as error:
            raise InvalidPath(f"'{self.text}' has a pattern that cannot be read.") from error
        return lambda _item, _root: [pattern]


def _find_values(steps: tuple[PathStep, ...], value: Any, root: Any) -> list[Any]:  # noqa: ANN401
    found = [value]
    for step in steps:
        found = [inner for item in found for inner in _match_step(step, item, root)]
    return found


def _compare_by_size(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison by size, false for values that have no order."""

    def safe(left: Any, right: Any) -> bool:  # noqa: ANN401 - any JSON value
        texts = isinstance(left, str) and isinstance(right, str)
        numbers = all(isinstance(v, int | float) and v is not True for v in (left, right))
        return (texts or numbers) and compare(left, right)

    return safe


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": json_equal,
    "!=": lambda left, right: not json_equal(left, right),
    "<": _compare_by_size(lambda left, right: left < right),
    "<=": _compare_by_size(lambda left, right: left <= right),
    ">": _compare_by_size(lambda left, right: left > right),
    ">=": _compare_by_size(lambda left, right: left >= right),
    "=~": lambda left, right: isinstance(left, str) and right.fullmatch(left) is not None,
    "in": lambda left, right: isinstance(right, list) and any(json_equal(left, r) for r in right),
}
