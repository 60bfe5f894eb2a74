"""Known errors: who is to blame for an error of AWS or of a function, and does it pass by itself?

The one lookup that the functions, ``deploy``, the sync, triage and the redrive adviser share; the
table is ``workflow.error_rows``. Both files are shipped in the zip of every function: standard
library only. Sources: the API references of Lambda (Invoke), SageMaker Runtime, Step Functions and
S3 (ErrorResponses), the Step Functions developer guide (concepts-error-handling), the Lambda
developer guide (troubleshooting-invocation), and botocore.exceptions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from workflow.error_rows import CREDENTIALS, OUR_OWN, ROWS, Blame, KnownError, Repair

__all__ = [
    "AwsAnswer",
    "Blame",
    "KnownError",
    "Match",
    "Repair",
    "find",
    "is_denial",
    "is_throttling",
    "is_unanswered",
    "passes_at_once",
    "passes_by_itself",
    "read_error",
]

_GENERIC: Final = frozenset(
    {
        "baseexception",
        "client",
        "error",
        "exception",
        "function.unknown",
        "io",
        "lambda.awslambda",
        "lambda.unknown",
        "os",
        "runtime.exit",
        "runtime.unknown",
        "extension.unknown",
        "runtime",
        "states.all",
        "states.runtime",
        "states.taskfailed",
        "unhandled",
        "unknown",
    }
)
"""Names that say little: the message decides, and the name only where the message is silent."""

_FORMS: Final = (
    (re.compile(r"throttl|throughputexceeded|toomanyrequests"), "ThrottlingException"),
    (re.compile(r"accessdenied|unauthorized|notauthorized|forbidden"), "AccessDenied"),
    (re.compile(r"(timeout|timedout)$"), "ReadTimeoutError"),
    (re.compile(r"(serviceunavailable|internalserver|internalfailure)$"), "InternalFailure"),
    (re.compile(r"^nosuch|(notfound|doesnotexist|notexist|nonexistentqueue)$"), "NotFound"),
)
"""What a name means by its form alone, where AWS adds names that the table does not have yet."""

_CODE_INSIDE: Final = re.compile(
    r"An error occurred \((?P<boto>[^()\s]+)\) when calling the \w+ operation"
    r"|Error Code: (?P<java>[\w.]+)"
)
_STATUS_INSIDE: Final = re.compile(r"Status Code: (?P<status>\d{3})\b")
_HTTP_TASK: Final = re.compile(r"states\.http\.statuscode\.(?P<status>\d{3})")
_SUFFIX: Final = re.compile(r"(?:exception|error)+$")
_KNOWN: Final = 1 << 12

_TOO_MANY: Final = 429
_TIMED_OUT: Final = 408
_FIRST_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Match:
    """A row of the table, and what its pattern found in the message."""

    row: KnownError
    found: Mapping[str, str]

    def words(self, **words: str) -> "Words":
        """Return cause and remedy with their gaps filled.

        Args:
            words: ``place``, ``message``, ``subject``, ``image`` and ``error``, as the rows say.
        """
        named = {name: value or "(not named)" for name, value in self.found.items()}
        if "role" in named:
            named["role"] = _role_name(named["role"])
        filled = words | named
        return Words(self.row.cause.format_map(filled), self.row.remedy.format_map(filled))


@dataclass(frozen=True, slots=True)
class Words:
    """What an error is, and what to do about it: a sentence each, without the last step."""

    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class AwsAnswer:
    """What an exception of boto3 says; nothing in it is None.

    Attributes:
        code: AWS's error code, else ``HTTP <status>``, else the name of the exception's class.
        message: AWS's own message; may be empty.
        status: HTTP status, 0 where there was no answer.
    """

    code: str
    message: str
    status: int


def find(
    names: Iterable[str], message: str = "", *, status: int = 0, operation: str = ""
) -> Match | None:
    """Return the row of an error, or None: an unknown error is neither blamed nor repeated.

    Args:
        names: What the error is called, the most telling name first.
        message: What is said of it.
        status: HTTP status of the answer, 0 where unknown.
        operation: ``service:Operation`` where known; it tells one code from another.
    """
    return _find_match(tuple(names), message, status, operation)


def passes_by_itself(code: str, message: str = "", status: int = 0) -> bool:
    """Return whether the same call may succeed later although nobody changes anything."""
    found = find((code,), message, status=status)
    return found is not None and found.row.passes


def is_throttling(answer: "AwsAnswer") -> bool:
    """Return whether AWS refuses because too much was asked at once."""
    found = find((answer.code,), answer.message, status=answer.status)
    return found is not None and found.row.at_once and found.row.blame is Blame.CAPACITY


def is_denial(code: str) -> bool:
    """Return whether AWS refuses for want of a permission."""
    found = find((code,))
    return found is not None and found.row.blame is Blame.PERMISSION


def is_unanswered(code: str) -> bool:
    """Return whether an error says nothing of what was asked for: no answer, or no right to one.

    What was known of it before then still stands, unlike after ``NoSuchBucket``.
    """
    found = find((code,))
    if found is None:
        return False
    row = found.row
    return row.passes or row.blame is Blame.PERMISSION or row in CREDENTIALS


def passes_at_once(answer: "AwsAnswer") -> bool:
    """Return whether the same call may succeed seconds later: not after a timeout."""
    found = find((answer.code,), answer.message, status=answer.status)
    return found is not None and found.row.at_once


def read_error(error: Exception) -> AwsAnswer:
    """Return what a botocore exception says, whatever parts AWS left out or sent as null."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, Mapping):
        return AwsAnswer(type(error).__name__, str(error), 0)
    said, meta = _object_part(answer, "Error"), _object_part(answer, "ResponseMetadata")
    status = meta.get("HTTPStatusCode")
    number = status if isinstance(status, int) else 0
    code = _clean_text(said.get("Code")) or (f"HTTP {number}" if number else "Unknown")
    return AwsAnswer(code, _clean_text(said.get("Message")), number)


def _object_part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    return part if isinstance(part, Mapping) else {}


def _clean_text(value: object) -> str:
    return "" if value is None else str(value).strip()


@lru_cache(maxsize=_KNOWN)
def _find_match(names: tuple[str, ...], message: str, status: int, operation: str) -> Match | None:
    # A code inside the message is that of the call that failed; the name around it only repeats it.
    inside = _CODE_INSIDE.search(message)
    named = (inside["boto"] or inside["java"], *names) if inside else names
    keys = tuple(dict.fromkeys(key for name in named for key in _table_keys(name)))
    telling = tuple(key for key in keys if key not in _GENERIC)
    vague = tuple(key for key in keys if key in _GENERIC)
    return (
        # From the most exact to the vaguest: the operation's own meaning of a code, then name and
        # message, name alone, message alone, form, status.
        _by_name(tuple(f"{operation}/{key}".lower() for key in keys[:1]))
        or _by_name_and_message(keys, message)
        or _by_name(key for key in telling if key in _EXACT)
        or _by_message(message)
        or _by_name(telling)
        or _by_form(telling)
        or _by_status(keys, message, status)
        or _by_name(vague)
    )


def _table_keys(name: str) -> tuple[str, ...]:
    """Return a name as the table has it: without ``Exception``, and again without its service."""
    lower = name.strip().lower()
    whole = _SUFFIX.sub("", lower) or lower
    return whole, whole.rpartition(".")[2]


def _by_name_and_message(keys: tuple[str, ...], message: str) -> Match | None:
    for row, names in _WITH_MESSAGE:
        if names and not names.isdisjoint(keys) and (found := row.search(message)):
            return Match(row, _named_groups(found))
    return None


def _by_message(message: str) -> Match | None:
    for row, names in _WITH_MESSAGE:
        if not names and (found := row.search(message)):
            return Match(row, _named_groups(found))
    return None


def _by_name(keys: Iterable[str]) -> Match | None:
    return next((Match(_BY_NAME[key], {}) for key in keys if key in _BY_NAME), None)


def _by_form(keys: tuple[str, ...]) -> Match | None:
    for pattern, name in _FORMS:
        if any(pattern.search(key) for key in keys):
            return _by_name(_table_keys(name))
    return None


def _by_status(keys: tuple[str, ...], message: str, status: int) -> Match | None:
    """Return what a status alone tells: those that pass by themselves do so under any name."""
    inside = _STATUS_INSIDE.search(message)
    task = next((found for key in keys if (found := _HTTP_TASK.fullmatch(key))), None)
    known = int(task["status"]) if task else status or (int(inside["status"]) if inside else 0)
    if known == _TOO_MANY:
        return _by_name(("throttling",))
    if known >= _FIRST_SERVER_ERROR or known == _TIMED_OUT:
        return _by_name(("internalfailure",))
    return _by_name(("states.http.statuscode",)) if task else None


def _role_name(identity: str) -> str:
    """Return ``classify`` for ``arn:aws:sts::123456789012:assumed-role/classify/session``."""
    kind, *names = identity.rpartition(":")[2].split("/")
    if not names:
        return identity
    return names[0] if kind == "assumed-role" else names[-1]


def _named_groups(found: re.Match[str]) -> dict[str, str]:
    return {name: value or "" for name, value in found.groupdict().items()}


_WITH_MESSAGE: Final = tuple(
    (row, frozenset(_table_keys(name)[0] for name in row.names)) for row in ROWS if row.message
)
_EXACT: Final = frozenset(
    _table_keys(name)[0] for row in OUR_OWN if row.blame is Blame.INPUT for name in row.names
)
"""Our own words for a bad input: what such an input quotes must not be taken for another error."""

_BY_NAME: Final = {
    _table_keys(name)[0]: row for row in reversed(ROWS) if not row.message for name in row.names
}
