"""Escapes for text of others, such as S3 keys, ids, names, errors and authors.

``escape_text`` is for Markdown (every label of Streamlit is), ``inline_code`` for what people copy
out of it, ``escape_prose`` for sentences that hold both, ``clean_block`` for a block of code or of
lines, ``chart_text`` for the subset of HTML that Plotly renders.
"""

import html
import re
from typing import Final

LONGEST: Final = 4_000
"""So many characters of a text of others are shown within a sentence or a chart."""

LONGEST_BLOCK: Final = 1 << 18
"""Likewise in a block of its own: as much as Step Functions lets a state hand on."""

_MARKED: Final = re.compile(r"([\\`*_{}\[\]()#+\-!|~<>$:&])")
_NUMBERED: Final = re.compile(r"^(\d+)\.(?=\s|$)")
_SPACE: Final = re.compile(r"\s*[\t\r\n\v\f\x1c-\x1f\x85\u2028\u2029]\s*")
_MARKS: Final = "\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_INVISIBLE: Final = re.compile(rf"[\x00-\x1f{_MARKS}\ud800-\udfff]")
UNSEEN_IN_BLOCK: Final = f"[\x00-\x08\x0b\x0c\x0e-\x1f{_MARKS}]"
"""What ``clean_block`` replaces, but for lone surrogates: a pattern for polars, which has none."""
_UNSEEN_IN_BLOCK: Final = re.compile(rf"{UNSEEN_IN_BLOCK}|[\ud800-\udfff]")
_JOINER: Final = "\u2060"
"""A word joiner: not seen, breaks no line. It stays where a backslash is gone after parsing."""

_LINKED: Final = re.compile(
    r"\b(?P<scheme>https?|ftp|mailto|xmpp):|\bwww(?=\.)"
    r"|(?<=[\w.+-])(?P<at>@)(?=[\w-]+\.)"
    r"|(?P<icon>:)(?=(?:material|streamlit)\b)"
    r"|(?<![\w:/.-])(?P<emoji>:)(?=[\w+-]*[A-Za-z+-][\w+-]*:)",
    re.IGNORECASE,
)
"""What Streamlit looks for in text once it is parsed: addresses, icons and emoji."""


def one_line(text: str) -> str:
    """Return text in one line, with ``\N{REPLACEMENT CHARACTER}`` for what is not seen.

    That is control characters, marks that turn the direction of writing, and lone surrogates. Of
    text beyond ``LONGEST`` the rest is counted.
    """
    # Cut first: the patterns then run over no more than is shown.
    short = _cut_text(text, LONGEST)
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", _SPACE.sub(" ", short)).strip()


def clean_block(text: str) -> str:
    """Return text for a block of its own, which Streamlit shows as it is: line breaks stay."""
    return _UNSEEN_IN_BLOCK.sub("\N{REPLACEMENT CHARACTER}", _cut_text(text, LONGEST_BLOCK))


def _cut_text(text: str, longest: int) -> str:
    left_out = len(text) - longest
    return text if left_out <= 0 else f"{text[:longest]} … ({left_out:,} characters more)"


def escape_text(text: str) -> str:
    """Return text that Markdown shows as it is: no image, link, directive, HTML or formula."""
    return _escape_line(one_line(text))


def _escape_line(line: str) -> str:
    unlinked = _LINKED.sub(_break_link, line)
    return _NUMBERED.sub(r"\1\\.", _MARKED.sub(r"\\\1", unlinked))


def _break_link(found: re.Match[str]) -> str:
    before = found["at"] is not None
    return f"{_JOINER}{found[0]}" if before else f"{found[0]}{_JOINER}"


def inline_code(text: str) -> str:
    """Return text as inline code, whatever backticks are in it."""
    return _fence_code(one_line(text))


def _fence_code(said: str) -> str:
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", said)), default=0))
    space = " " if said.startswith("`") or said.endswith("`") or not said else ""
    return f"{fence}{space}{said}{space}{fence}"


def escape_prose(text: str) -> str:
    """Escape sentences of ours for Markdown; what stands in backticks becomes code.

    What others wrote may be part of them: it stays text in either part.
    """
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:  # a backtick that has no other is a letter
        return escape_text(text)
    return "".join(
        _fence_code(one) if at % 2 else _escape_line(one) for at, one in enumerate(parts)
    )


def chart_text(text: str) -> str:
    """Return text that Plotly draws as it is: no link, no tag, no entity, no formula."""
    seen = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", _cut_text(text, LONGEST))
    shown = html.escape(seen, quote=False)
    return shown.replace("$", f"{_JOINER}$")
