"""Every text of a page that Streamlit takes for Markdown, and what of it is the work of a payload.

That is nearly every string of its messages: bodies, labels, captions, tooltips, options of pills,
names of tabs. So all strings of all messages are looked at, but for those of which it is known that
they are shown as they are or not at all.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

MARK: Final = "EVIL"
PAYLOAD: Final = (
    f"**{MARK}** ![{MARK}](http://evil.example/a.png) [{MARK}](http://evil.example)"
    f' <img src="http://evil.example/b.png" alt={MARK}> :red[{MARK}] :material/skull: :smile:'
    f" ${MARK}$ `{MARK}` www.evil.example \u202e{MARK}\u2066 \x07\x1b[31m"
)
"""Makes an element, a request or a turn of the text wherever it is not escaped."""

SHORT: Final = f"**{MARK}** <img src=//evil.example> :red[{MARK}] ${MARK}$"
"""As much as the name of a state holds."""

_AS_IT_IS: Final = frozenset(
    {
        "Code.code_text",
        "Text.body",
        "Selectbox.options",
        "MultiSelect.options",
        "Selectbox.raw_value",
        "TextInput.value",
        "TextInput.default",
        "TextArea.value",
        "TextArea.default",
        "PageLink.query_string",
        "PageLink.page",
    }
)
"""What Streamlit shows as plain text, or puts into an address by its own encoding."""

_UNSEEN: Final = re.compile(
    r"(?:^|_)(?:id|ids|key|hash|alt|url|columns|json_args|selection_state)$"
)
_CODE: Final = re.compile(r"(?<![\\`])(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_RAW: Final = (
    rf"(?<!\\):red\[{MARK}",
    r"(?<!\\):material/skull",
    r"(?<!\\):smile:",
    rf"(?<!\\)\${MARK}\$",
    r"https?:(?!\u2060)//evil",
    r"\bwww\.evil",
    "[\u202e\u2066\x07\x1b]",
)
_MADE: Final = (rf"<(?:strong|em|b)>{MARK}", r"<img", r"<a ")
_DRAWN: Final = (r"<img", r"<a ", rf"(?<!\u2060)\${MARK}\$", "[\u202e\u2066\x07\x1b]")


def texts(test: AppTest) -> Iterator[tuple[str, str]]:
    """Yield each string of each message of a page, with the message and the field that hold it."""
    for node in test._tree:
        proto = getattr(node, "proto", None)
        if hasattr(proto, "DESCRIPTOR"):
            yield from _strings(proto)


def _strings(message: Any) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        many = not isinstance(value, str | bytes) and hasattr(value, "__iter__")
        for one in value if many else [value]:
            if isinstance(one, str):
                yield f"{message.DESCRIPTOR.name}.{field.name}", one
            elif hasattr(one, "ListFields"):
                yield from _strings(one)


def is_shown(place: str) -> bool:
    """Return whether a field is shown, and not as plain text."""
    return place not in _AS_IT_IS and not _UNSEEN.search(place.rpartition(".")[2])


def turns(text: str) -> bool:
    """Return whether a text holds what is not seen and turns the direction of writing."""
    return re.search(_RAW[-1], text) is not None


def acts(place: str, text: str) -> list[str]:
    """Return what a payload in a text would do, empty where it is inert."""
    if place.endswith(".spec"):
        return [one for one in _DRAWN if re.search(one, text.encode().decode("unicode_escape"))]
    bare = _CODE.sub("", text)
    html = re.sub("<code>.*?</code>", "", _PARSER.render(text), flags=re.DOTALL)
    return [
        *(one for one in _RAW if re.search(one, bare)),
        *(one for one in _MADE if re.search(one, html)),
    ]


_PARSER: Final = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def cells(test: AppTest) -> Iterator[str]:
    """Yield each text in a cell of a table of a page, and each name of a column."""
    for table in (*test.dataframe, *test.table):
        for name, column in table.value.items():
            yield from (one for one in (name, *column) if isinstance(one, str))
