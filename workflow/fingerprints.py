"""Fingerprints: which failures are the same problem, and why.

The idea is Sentry's parameterization (https://docs.sentry.io/concepts/data-management/
event-grouping): what changes from run to run is masked by a table of patterns, and a hash is made
of what stays. Here that is the state, the error, the message and the function's own innermost
stack frame. Rejections are one problem wherever they were raised.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from workflow.causes import is_rejection, read_cause
from workflow.contract import REJECTED
from workflow.executions import Failure
from workflow.quoted_data import MASK, without_data

VERSION: Final = 2
"""Part of every digest; raised whenever a change of the table moves failures between groups."""

_EXTENSIONS: Final = (
    r"(?:png|jpe?g|gif|bmp|webp|tiff?|hei[cf]|jsonl?|csv|txt|parquet|gz|zip|pdf|svg)"
)
_S3_LOCATION: Final = (
    rf"\bs3://(?:[^\s\"']*\.{_EXTENSIONS}\b"
    rf"|[^\s\"']*(?: [^\s\"':/]+){{1,3}}?\.{_EXTENSIONS}\b"
    r"|[^\s\"',;]*[^\s\"',;.:])"
)
_SPACED: Final = (
    ("S3 location", _S3_LOCATION),
    ("quoted file", rf"(?<=['\"])[^'\"\n]{{1,1024}}\.{_EXTENSIONS}(?=['\"])"),
)
"""Masks of what may hold spaces; they see the whole message."""

_BASE64: Final = (
    r"(?=[A-Za-z0-9]*[\d+/])[A-Za-z0-9+/]{24,}={0,2}"
    r"|(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)"
)
"""A long run with a digit or sign among the letters, or a padded one of any length above six."""

MASKS: Final = (
    # Anchored at the word's start, before all that would match a part of it.
    ("UUID", r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?=[.:]?$)"),
    # Names with digits that are no data; kept as they stand.
    ("word", r"^(?:s3|ec2|base64|utf-?8|sha256|md5|(?:int|uint|float)(?:8|16|32|64))\b"),
    # Before paths and URLs, because a slash is a letter of base64.
    ("base64", rf"(?<![\w+/.~-])(?:{_BASE64})(?![\w+/=-]|\.\w)"),
    ("ARN", r"\barn:aws[\w-]*:\S*[^\s.:]"),
    ("URL", r"\b[a-z][a-z0-9]+://\S*[^\s.:]"),
    ("file", rf"(?<![\w.~+/-])[\w.~+/-]+\.{_EXTENSIONS}\b"),
    ("media type", r"^(?:application|image|text|audio|video)/[a-z][\w.+-]*(?<!\.)(?![\w/-])"),
    ("path", r"(?<!\w)(?:[A-Za-z]:\\|[\w.~+-]*/)[\w./\\+@%=~:-]*[\w/]"),
    ("e-mail address", r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"),
    ("timestamp", r"\b\d{4}-\d\d-\d\dT[\d:.,]*\d(?:Z|[+-]\d\d:?\d\d)?"),
    # After the timestamp, of which it would take the digits.
    ("long id", r"\b(?=[\w+/=-]*\d)[A-Za-z0-9+/=_-]{24,}"),
    ("hexadecimal", r"\b0[xX][0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b"),
    ("id", r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)[A-Za-z0-9]{7,}(?![A-Za-z0-9])"),
    # Last: nearly everything above holds digits.
    ("number", r"(?:(?<!\w)[-+])?(?:\d+(?:[.,:]\d+)*|\.\d+)(?:[eE][-+]?\d+)?%?"),
)
"""Masks of words, in the order in which they are tried; ``_KEPT`` are left as they stand."""

_KEPT: Final = ("word", "media type")
_IN_WORD: Final = r"[^\s\"'<>(){}\[\],;]"
_SUSPECT: Final = re.compile(
    rf"(?<!{_IN_WORD})(?:{_IN_WORD}*?(?:[\d/\\@+=]|\.[A-Za-z]){_IN_WORD}*|[a-fA-F]{{8,}})"
)
"""Words that a mask may apply to: trying all masks on every word costs ten times as much."""

_ANY_SPACED: Final = re.compile("|".join(pattern for _, pattern in _SPACED))
_ANY_MASK: Final = re.compile("|".join(f"(?P<m{n}>{p})" for n, (_, p) in enumerate(MASKS)))
_KEPT_GROUPS: Final = tuple(f"m{n}" for n, (name, _) in enumerate(MASKS) if name in _KEPT)
_RUN: Final = re.compile(r"\*(?:[\s,.:;_/\\-]*\*)+")
_KNOWN_WORDS: Final = 1 << 16
_KNOWN_MESSAGES: Final = 1 << 12
_MAX_CHARACTERS: Final = 2_000
_DIGEST_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What makes failures the same.

    Attributes:
        digest: 16 hexadecimal characters, a hash of ``version`` and ``parts``.
        parts: ``(name, value)`` pairs in the order in which they were hashed.
        version: Of the table that made it.
    """

    digest: str
    parts: tuple[tuple[str, str], ...]
    version: int = VERSION


def fingerprint(failure: Failure) -> Fingerprint:
    """Return the fingerprint of a failure; equal for failures of one group."""
    if failure.kind is None and is_rejection(failure.error, failure.cause):
        return of_parts((("rejection", REJECTED),))
    cause = read_cause(failure.error, failure.cause)
    parts = [("state", failure.state), ("error", failure.error)]
    if cause.error != failure.error:
        parts.append(("exception", cause.error))
    parts.append(("message", normalised(cause.message)))
    if cause.own_frame:
        file, function = cause.own_frame
        parts.append(("raised in", f"{function} ({file})"))
    return of_parts(tuple(parts))


@lru_cache(maxsize=_KNOWN_WORDS)
def of_parts(parts: tuple[tuple[str, str], ...]) -> Fingerprint:
    """Return the fingerprint of parts chosen by somebody, as when a group is split."""
    text = repr((VERSION, parts))
    # JSON escapes may leave half a surrogate pair in a message, which strict UTF-8 refuses.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Fingerprint(digest=digest[:_DIGEST_CHARACTERS], parts=parts)


@lru_cache(maxsize=_KNOWN_MESSAGES)
def normalised(message: str) -> str:
    """Return the message with everything that changes from run to run as ``*``.

    One mask stands for all kinds, and for a run of masked things: an id may happen to be all
    digits, and a list of numbers may be longer the next time.
    """
    # A cause holds up to 32,768 characters; what distinguishes it stands at the start.
    text = without_data(message)[:_MAX_CHARACTERS]
    # Names with spaces first: as words they would be masked in parts, as many as there are spaces.
    if "s3:" in text or "'" in text or '"' in text:
        text = _ANY_SPACED.sub(MASK, text)
    masked = _SUSPECT.sub(_mask_suspect, text)
    return " ".join(_RUN.sub(MASK, masked).split())


def explain(fingerprint: Fingerprint) -> str:
    """Return why failures are in this group, in a sentence or two."""
    parts = dict(fingerprint.parts)
    if "rejection" in parts:
        return (
            "The confidence was below the threshold, said as a Fail state, an exception or a "
            f"raised text ({parts['rejection']}); state and numbers do not matter."
        )
    named = "; ".join(f"{name}: {value or 'unknown'}" for name, value in fingerprint.parts)
    return (
        f"Alike in {named}. {MASK} stands for ids, ARNs, keys, paths, times and numbers, which do "
        f"not matter. Fingerprint {fingerprint.digest}, version {fingerprint.version}."
    )


def _mask_suspect(match: re.Match[str]) -> str:
    word = match[0]
    return MASK if word.isdigit() else _mask_word(word)


@lru_cache(maxsize=_KNOWN_WORDS)
def _mask_word(word: str) -> str:
    return _ANY_MASK.sub(_choose_mask, word)


def _choose_mask(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup in _KEPT_GROUPS else MASK
