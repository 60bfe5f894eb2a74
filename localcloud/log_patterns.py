"""Log patterns: which messages a filter pattern of CloudWatch Logs matches. Pure.

Source: CloudWatch Logs User Guide, "Filter pattern syntax": terms, JSON, space-delimited messages
and regular expressions. Where AWS documents nothing: a comparison of a field that is not there
never holds.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from localcloud.errors import AwsError
from workflow.asl import paths
from workflow.asl.data import Scope

Test = Callable[[str], bool]
"""Whether a message matches."""

Condition = Callable[[Any], bool]
"""Whether a value matches: all of a JSON message, or the words of a space-delimited one."""

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|(%[^%]+%)|([^\s"]+))')
_TOKEN = re.compile(
    r'\s*("(?:[^"\\]|\\.)*"|%[^%]+%|&&|\|\||!=|<=|>=|\.\.\.|[()=<>,]'
    r"|\$(?:\.[\w*/:@-]+|\[[^\]]*\])*|[^\s()=<>,&|!\"]+)"
)
_WORD = re.compile(r'\[([^\]]*)\]|"([^"]*)"|(\S+)')
_REGEX = re.compile(r"[\w#=@/;,:\s^$?\[\]{}|\\*+.-]*", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


@lru_cache(256)
def compile_pattern(pattern: str) -> Test:
    """Return what tests a message by a filter pattern.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        return _Json(text).test()
    if text.startswith("[") and text.endswith("]"):
        return _Delimited(text).test()
    return _terms(text)


def _terms(text: str) -> Test:
    """Test for words: all without a sign, none with ``-``; one with ``?``, if all have that."""
    tests: dict[str, list[Test]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise _invalid()
        sign, quoted, regex, plain = match.groups()
        if regex:
            tests[sign].append(_regex(regex))
        else:
            term = _unescaped(quoted) if quoted is not None else plain
            tests[sign].append(lambda message, term=term: term in message)  # type: ignore[misc]
        at = match.end()
    needed, unwanted, optional = tests[""], tests["-"], tests["?"]
    if optional and not needed and not unwanted:
        return lambda message: any(test(message) for test in optional)
    return lambda message: (
        all(test(message) for test in needed) and not any(test(message) for test in unwanted)
    )


class _Reader:
    """Reads the tokens of a pattern, and ``&&`` before ``||`` between its conditions."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text[1:-1]))
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise _invalid()
        self._at += 1
        return token

    def took(self, token: str) -> bool:
        found = self.peek() == token
        self._at += found
        return found

    def any_of(self) -> Condition:
        conditions = [self._all_of()]
        while self.took("||"):
            conditions.append(self._all_of())
        return lambda value: any(condition(value) for condition in conditions)

    def _all_of(self) -> Condition:
        conditions = [self._one()]
        while self.took("&&"):
            conditions.append(self._one())
        return lambda value: all(condition(value) for condition in conditions)

    def _one(self) -> Condition:
        if self.took("("):
            inner = self.any_of()
            if not self.took(")"):
                raise _invalid()
            return inner
        return self.comparison()

    def comparison(self) -> Condition:
        raise NotImplementedError

    def compared(self) -> Condition:
        """Read an operator and what it compares with; return a test of one value."""
        sign, literal = self.take(), self.take()
        if sign in _ORDERS:
            number = _number(literal)
            if number is None:
                raise _invalid()
            return lambda value: _ordered(sign, value, number)
        if sign not in ("=", "!="):
            raise _invalid()
        equal = _equality(literal)
        return equal if sign == "=" else lambda value: not equal(value)


class _Json(_Reader):
    """A pattern for messages that are JSON: ``{ $.a = 1 && $.b IS TRUE }``."""

    def test(self) -> Test:
        condition = self.any_of()
        if self.peek():
            raise _invalid()

        def holds(message: str) -> bool:
            try:
                value = json.loads(message)
            except (ValueError, RecursionError):
                return False
            return isinstance(value, dict | list) and condition(value)

        return holds

    def comparison(self) -> Condition:
        try:
            selector = paths.parse(self.take())
        except paths.InvalidPath as error:
            raise _invalid() from error
        if self.took("NOT"):
            if not self.took("EXISTS"):
                raise _invalid()
            return lambda value: _selected(selector, value) == []
        if self.took("EXISTS"):
            return lambda value: _selected(selector, value) != []
        if self.took("IS"):
            word = self.take()
            if word not in _CONSTANTS:
                raise _invalid()
            return lambda value: any(v is _CONSTANTS[word] for v in _selected(selector, value))
        condition = self.compared()
        return lambda value: any(condition(found) for found in _selected(selector, value))


class _Delimited(_Reader):
    """A pattern for messages of words: ``[ip, user, ..., status = 4* || status = 500]``."""

    def test(self) -> Test:
        fields: list[Condition | None] = []
        while True:
            fields.append(None if self.took("...") else self.any_of())
            if not self.peek():
                break
            if not self.took(","):
                raise _invalid()
        return lambda message: _fits(fields, [_bare(found) for found in _WORD.finditer(message)])

    def comparison(self) -> Condition:
        if self.took("*"):
            return lambda _word: True
        if not re.fullmatch(r"\w+", self.take()):
            raise _invalid()
        bare = self.peek() in ("", ",", "&&", "||", ")")
        return (lambda _word: True) if bare else self.compared()


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid()
        yield match[1]
        at = match.end()


def _fits(fields: Sequence[Condition | None], words: Sequence[str]) -> bool:
    """Return whether words fit fields one by one; None stands for any number of words."""
    if not fields:
        return not words
    if fields[0] is None:
        return any(_fits(fields[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and fields[0](words[0]) and _fits(fields[1:], words[1:])


def _bare(word: re.Match[str]) -> str:
    return next(part for part in word.groups() if part is not None)


def _selected(selector: paths.Path, value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return what a selector finds: several values where it has a wildcard."""
    try:
        found = paths.evaluate(selector, Scope(value, {}, {}))
    except paths.PathNotFound:
        return []
    many = any(step.kind == "wildcard" for step in selector.steps)
    return list(found) if many else [found]


def _equality(literal: str) -> Condition:
    if literal.startswith("%"):
        matches = _regex(literal)
        return lambda value: matches(_text(value))
    number = None if literal.startswith('"') else _number(literal)
    if number is not None:
        return lambda value: _as_number(value) == number
    text = _unescaped(literal[1:-1]) if literal.startswith('"') else literal
    expression = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
    return lambda value: expression.fullmatch(_text(value)) is not None


def _ordered(sign: str, value: Any, number: float) -> bool:  # noqa: ANN401 - any JSON value
    given = _as_number(value)
    return given is not None and _ORDERS[sign](given, number)


def _as_number(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _number(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else json.dumps(value)


def _regex(literal: str) -> Test:
    """Return a test by the regular expression between two ``%``; AWS takes no groups."""
    text = literal[1:-1]
    if not _REGEX.fullmatch(text):
        raise _invalid()
    try:
        expression = re.compile(text)
    except re.error as error:
        raise _invalid() from error
    return lambda message: expression.search(message) is not None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _invalid() -> AwsError:
    return AwsError("InvalidParameterException", "Invalid filter pattern")
