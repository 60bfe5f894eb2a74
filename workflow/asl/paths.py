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

from workflow.asl.data import Scope, equal, type_name

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
    steps = tuple(reader.steps())
    if reader.at != len(text):
        raise InvalidPath(f"'{text}' cannot be read from character {reader.at + 1}.")
    return Path(text, match["variable"] or match[0], steps)


def evaluate(path: Path, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a path, or the array of all that an indefinite path matches.

    Raises:
        PathNotFound: A definite path leads to nothing, or there is no such variable.
    """
    root = _root(path, scope)
    if path.definite:
        return _follow(path.steps, root)
    found = [root]
    for step in path.steps:
        found = [value for item in found for value in _matches(step, item, root)]
    return found


def assign(path: Path, target: Any, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A copy of ``target`` with ``value`` where a reference path points, objects made on the way.

    Raises:
        PathNotFound: The path leads through a value that is not an object or array; its text names
            the step.
    """
    if not path.steps:
        return value
    return _assigned(path.steps, target, value)


def _assigned(steps: tuple[PathStep, ...], target: Any, value: Any) -> Any:  # noqa: ANN401
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step.kind == "index":
        if not isinstance(target, list) or not -len(target) <= step.value < len(target):
            raise PathNotFound(str(step.value))
        changed = list(target)
        changed[step.value] = _assigned(rest, target[step.value], value)
        return changed
    if not isinstance(target, dict):
        raise PathNotFound(str(step.value))
    inner = target.get(step.value, {} if rest else None)
    return {**target, step.value: _assigned(rest, inner, value)}


def _root(path: Path, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    if path.root == "$":
        return scope.input
    if path.root == "$$":
        return scope.context
    if path.root not in scope.variables:
        raise PathNotFound(f"No results for path: ${path.root}")
    return scope.variables[path.root]


def _follow(steps: tuple[PathStep, ...], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    walked = "$"
    for number, step in enumerate(steps):
        here = f"{walked}[{_quoted(step.value)}]"
        last = number == len(steps) - 1
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
                f"Expected to find an object with property [{_quoted(step.value)}] in path {walked}"
                f" but found '{type_name(value)}'."
            )
        else:
            raise PathNotFound(
                f"Filter: [{step.value}] can only be applied to arrays. Current context is: {value}"
            )
        walked = here
    return value


def _quoted(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _matches(step: PathStep, value: Any, root: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield what a step of an indefinite path finds in one value; nothing where it does not fit."""
    inner = _children(value)
    if step.kind == "descend":
        yield value
        for item in inner:
            yield from _matches(step, item, root)
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


def _children(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class _Reader:
    """Reads the text of a path from ``at`` on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def steps(self) -> Iterator[PathStep]:
        """Yield the steps up to the first character that belongs to none."""
        while self.at < len(self.text):
            if self._take(".."):
                yield PathStep("descend")
                yield self._bracket() if self._take("[") else self._child()
            elif self._take("."):
                yield self._child()
            elif self._take("["):
                yield self._bracket()
            else:
                return

    def _take(self, word: str) -> bool:
        found = self.text.startswith(word, self.at)
        self.at += len(word) if found else 0
        return found

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def _spaces(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def _expect(self, word: str) -> None:
        self._spaces()
        if not self._take(word):
            raise InvalidPath(f"'{self.text}' lacks '{word}' at character {self.at + 1}.")

    def _child(self) -> PathStep:
        if self._take("*"):
            return PathStep("wildcard")
        match = self._match(_NAME)
        if match is None:
            raise InvalidPath(f"'{self.text}' lacks a name at character {self.at + 1}.")
        return PathStep("key", match[0])

    def _bracket(self) -> PathStep:
        self._spaces()
        if self._take("?"):
            self._expect("(")
            test = self._either()
            self._expect(")")
            step = PathStep("filter", test)
        elif self._take("*"):
            step = PathStep("wildcard")
        elif match := self._match(_SLICE):
            bounds = tuple(None if part is None else int(part) for part in match.groups())
            if bounds[2] == 0:
                raise InvalidPath(f"'{self.text}' has a slice with a step of 0.")
            step = PathStep("slice", bounds)
        else:
            step = self._names()
        self._expect("]")
        return step

    def _names(self) -> PathStep:
        parts: list[str | int] = [self._name()]
        self._spaces()
        while self._take(","):
            parts.append(self._name())
            self._spaces()
        if len(parts) > 1:
            return PathStep("union", tuple(parts))
        return PathStep("index" if isinstance(parts[0], int) else "key", parts[0])

    def _name(self) -> str | int:
        self._spaces()
        if self.text[self.at : self.at + 1] in ("'", '"'):
            return self._string()
        match = self._match(_INTEGER)
        if match is None:
            raise InvalidPath(f"'{self.text}' has no key or index at character {self.at + 1}.")
        return int(match[0])

    def _string(self) -> str:
        """A quoted string; a backslash escapes its quote and itself, else it stands for itself."""
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

    def _either(self) -> Test:
        tests = [self._all()]
        self._spaces()
        while self._take("||"):
            tests.append(self._all())
            self._spaces()
        return lambda item, root: any(test(item, root) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        self._spaces()
        while self._take("&&"):
            tests.append(self._one())
            self._spaces()
        return lambda item, root: all(test(item, root) for test in tests)

    def _one(self) -> Test:
        self._spaces()
        if self._take("!"):
            test = self._one()
            return lambda item, root: not test(item, root)
        if self._take("("):
            test = self._either()
            self._expect(")")
            return test
        left, is_path = self._operand()
        self._spaces()
        operator = self._match(_OPERATOR)
        if operator is None:
            if not is_path:
                raise InvalidPath(f"'{self.text}' has a filter that compares nothing.")
            return lambda item, root: bool(left(item, root))
        self._spaces()
        right = self._pattern() if operator[0] == "=~" else self._operand()[0]
        compare = _COMPARISONS[operator[0]]
        return lambda item, root: any(
            compare(one, other) for one in left(item, root) for other in right(item, root)
        )

    def _operand(self) -> tuple[Callable[[Any, Any], list[Any]], bool]:
        """Return what gives the values of a side of a comparison, and whether it is a path."""
        self._spaces()
        start = self.text[self.at : self.at + 1]
        if start in ("@", "$"):
            self.at += 1
            steps = tuple(self.steps())
            return lambda item, root: _found(steps, item if start == "@" else root, root), True
        value = self._literal(start)
        return lambda _item, _root: [value], False

    def _literal(self, start: str) -> Any:  # noqa: ANN401 - any JSON value
        if start in ("'", '"'):
            return self._string()
        if start == "[":
            self.at += 1
            items: list[Any] = []
            while not self._take("]"):
                self._spaces()
                items.append(self._literal(self.text[self.at : self.at + 1]))
                self._spaces()
                self._take(",")
            return items
        if match := self._match(_NUMBER):
            return float(match[0]) if set(match[0]) & set(".eE") else int(match[0])
        for word, value in _WORDS.items():
            if self._take(word):
                return value
        raise InvalidPath(f"'{self.text}' has a filter that cannot be read.")

    def _pattern(self) -> Callable[[Any, Any], list[Any]]:
        match = self._match(re.compile(r"/((?:[^/\\]|\\.)*)/(i?)"))
        if match is None:
            raise InvalidPath(f"'{self.text}' lacks a pattern after '=~'.")
        try:
            pattern = re.compile(match[1], re.IGNORECASE if match[2] else 0)
        except re.error as error:
            raise InvalidPath(f"'{self.text}' has a pattern that cannot be read.") from error
        return lambda _item, _root: [pattern]


def _found(steps: tuple[PathStep, ...], value: Any, root: Any) -> list[Any]:  # noqa: ANN401
    found = [value]
    for step in steps:
        found = [inner for item in found for inner in _matches(step, item, root)]
    return found


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison by size, false for values that have no order."""

    def safe(left: Any, right: Any) -> bool:  # noqa: ANN401 - any JSON value
        texts = isinstance(left, str) and isinstance(right, str)
        numbers = all(isinstance(v, int | float) and v is not True for v in (left, right))
        return (texts or numbers) and compare(left, right)

    return safe


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "=~": lambda left, right: isinstance(left, str) and right.fullmatch(left) is not None,
    "in": lambda left, right: isinstance(right, list) and any(equal(left, r) for r in right),
}
