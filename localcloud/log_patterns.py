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
        return _Json(text).build_test()
    if text.startswith("[") and text.endswith("]"):
        return _Delimited(text).build_test()
    return _compile_terms(text)


def _compile_terms(text: str) -> Test:
    """Test for words: all without a sign, none with ``-``; one with ``?``, if all have that."""
    tests: dict[str, list[Test]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise _invalid_error()
        sign, quoted, regex, plain = match.groups()
        if regex:
            tests[sign].append(_compile_regex(regex))
        else:
            term = _unescape_text(quoted) if quoted is not None else plain
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
        self._tokens = list(_split_tokens(text[1:-1]))
        self._at = 0

    def peek_token(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take_token(self) -> str:
        token = self.peek_token()
        if not token:
            raise _invalid_error()
        self._at += 1
        return token

    def take_if(self, token: str) -> bool:
        found = self.peek_token() == token
        self._at += found
        return found

    def read_any(self) -> Condition:
        conditions = [self._read_all()]
        while self.take_if("||"):
            conditions.append(self._read_all())
        return lambda value: any(condition(value) for condition in conditions)

    def _read_all(self) -> Condition:
        conditions = [self._read_one()]
        while self.take_if("&&"):
            conditions.append(self._read_one())
        return lambda value: all(condition(value) for condition in conditions)

    def _read_one(self) -> Condition:
        if self.take_if("("):
            inner = self.read_any()
            if not self.take_if(")"):
                raise _invalid_error()
            return inner
        return self.read_comparison()

    def read_comparison(self) -> Condition:
        raise NotImplementedError

    def read_comparator(self) -> Condition:
        """Read an operator and what it compares with; return a test of one value."""
        sign, literal = self.take_token(), self.take_token()
        if sign in _ORDERS:
            number = _parse_number(literal)
            if number is None:
                raise _invalid_error()
            return lambda value: _compare_order(sign, value, number)
        if sign not in ("=", "!="):
            raise _invalid_error()
        equal = _build_equality(literal)
        return equal if sign == "=" else lambda value: not equal(value)


class _Json(_Reader):
    """A pattern for messages that are JSON: ``{ $.a = 1 && $.b IS TRUE }``."""

    def build_test(self) -> Test:
        condition = self.read_any()
        if self.peek_token():
            raise _invalid_error()

        def holds(message: str) -> bool:
            try:
                value = json.loads(message)
            except (ValueError, RecursionError):
                return False
            return isinstance(value, dict | list) and condition(value)

        return holds

    def read_comparison(self) -> Condition:
        try:
            selector = paths.parse(self.take_token())
        except paths.InvalidPath as error:
            raise _invalid_error() from error
        if self.take_if("NOT"):
            if not self.take_if("EXISTS"):
                raise _invalid_error()
            return lambda value: _select_values(selector, value) == []
        if self.take_if("EXISTS"):
            return lambda value: _select_values(selector, value) != []
        if self.take_if("IS"):
            word = self.take_token()
            if word not in _CONSTANTS:
                raise _invalid_error()
            return lambda value: any(v is _CONSTANTS[word] for v in _select_values(selector, value))
        condition = self.read_comparator()
        return lambda value: any(condition(found) for found in _select_values(selector, value))


class _Delimited(_Reader):
    """A pattern for messages of words: ``[ip, user, ..., status = 4* || status = 500]``."""

    def build_test(self) -> Test:
        fields: list[Condition | None] = []
        while True:
            fields.append(None if self.take_if("...") else self.read_any())
            if not self.peek_token():
                break
            if not self.take_if(","):
                raise _invalid_error()
        return lambda message: _words_fit(
            fields, [_bare_word(found) for found in _WORD.finditer(message)]
        )

    def read_comparison(self) -> Condition:
        if self.take_if("*"):
            return lambda _word: True
        if not re.fullmatch(r"\w+", self.take_token()):
            raise _invalid_error()
        bare = self.peek_token() in ("", ",", "&&", "||", ")")
        return (lambda _word: True) if bare else self.read_comparator()


def _split_tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid_error()
        yield match[1]
        at = match.end()


def _words_fit(fields: Sequence[Condition | None], words: Sequence[str]) -> bool:
    """Return whether words fit fields one by one; None stands for any number of words."""
    if not fields:
        return not words
    if fields[0] is None:
        # An ellipsis may stand for no word as well.
        return any(_words_fit(fields[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and fields[0](words[0]) and _words_fit(fields[1:], words[1:])


def _bare_word(word: re.Match[str]) -> str:
    return next(part for part in word.groups() if part is not None)


def _select_values(selector: paths.Path, value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return what a selector finds: several values where it has a wildcard."""
    try:
        found = paths.evaluate(selector, Scope(value, {}, {}))
    except paths.PathNotFound:
        return []
    many = any(step.kind == "wildcard" for step in selector.steps)
    return list(found) if many else [found]


def _build_equality(literal: str) -> Condition:
    if literal.startswith("%"):
        matches = _compile_regex(literal)
        return lambda value: matches(_to_text(value))
    number = None if literal.startswith('"') else _parse_number(literal)
    if number is not None:
        return lambda value: _as_number(value) == number
    text = _unescape_text(literal[1:-1]) if literal.startswith('"') else literal
    expression = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
    return lambda value: expression.fullmatch(_to_text(value)) is not None


def _compare_order(sign: str, value: Any, number: float) -> bool:  # noqa: ANN401 - any JSON value
    given = _as_number(value)
    return given is not None and _ORDERS[sign](given, number)


def _as_number(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _parse_number(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _parse_number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _to_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else json.dumps(value)


def _compile_regex(literal: str) -> Test:
    """Return a test by the regular expression between two ``%``; AWS takes no groups."""
    text = literal[1:-1]
    if not _REGEX.fullmatch(text):
        raise _invalid_error()
    try:
        expression = re.compile(text)
    except re.error as error:
        raise _invalid_error() from error
    return lambda message: expression.search(message) is not None


def _unescape_text(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _invalid_error() -> AwsError:
    return AwsError("InvalidParameterException", "Invalid filter pattern")
