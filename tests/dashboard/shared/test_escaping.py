"""Text of others has no power over a page, a chart or a spreadsheet, wherever it is shown."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from dashboard.executions import charts as execution_charts
from dashboard.executions.detail_model import Bar
from dashboard.shared.csv_files import csv_file
from dashboard.shared.escaping import (
    LONGEST,
    chart_text,
    clean_block,
    escape_prose,
    escape_text,
    inline_code,
)
from workflow.timelines import VisitStatus

PAYLOADS = (
    "![x](http://evil.example/a.png)",
    "[x](http://evil.example)",
    "x [1]\n\n[1]: http://evil.example",
    "![x][1]\n\n[1]: http://evil.example/a.png",
    "<img src=x onerror=alert(1)>",
    "<http://evil.example>",
    "**bold** _it_ ~~no~~",
    "`code` ``code``",
    "`![x](http://evil.example/a.png)",
    "`` ` ![x](http://evil.example/a.png)",
    ":red[loud] :blue-background[x]",
    ":material/home: :streamlit: :smile:",
    "$\\frac{1}{2}$",
    "a\n# title\n- item\n\n    code",
    "1. one",
    "> quote",
    "a | b\n--|--\nc | d",
    "&#33;[x](http://evil.example) &lt;b&gt;",
    "http://evil.example www.evil.example me@evil.example",
    "\u202egnp.exe\u2066 \x00\x1b[31m \ud800",
    "x\u2028# y",
    "\\![x](http://evil.example/a.png)",
)


def rendered(markdown: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return str(parser.render(markdown))


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    "around", ["{}", "**{}**", "- {}", ":gray[{}]", "Images: {} more", "\n- {}"]
)
def test_markdown_shows_text_of_others_and_does_nothing_else(payload: str, around: str) -> None:
    harmless = rendered(around.format("x"))
    shown = rendered(around.format(escape_text(payload)))

    assert re.findall(r"<[^>]*>", shown) == re.findall(r"<[^>]*>", harmless)
    assert not re.search(r"https?:(?!\u2060)|\bwww\.|\w@", shown)
    assert not re.search(r"(?<!\\):(?:red|blue|material|streamlit)", escape_text(payload))
    assert not re.search(":(?:material|streamlit|smile):?", shown)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_inline_code_cannot_be_left(payload: str) -> None:
    shown = rendered(f"Event {inline_code(payload)} end")

    assert re.findall(r"<[^>]*>", shown) == ["<p>", "<code>", "</code>", "</p>"]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("around", ["Delete {}.", "Run `aws {}`, or {}.", "{}`", "`{}"])
def test_a_remedy_shows_its_commands_and_nothing_of_others(payload: str, around: str) -> None:
    shown = rendered(f"**x**  \n{escape_prose(around.format(payload, payload))}")

    tags = set(re.findall(r"<[^>]*>", shown))
    assert tags <= {"<p>", "</p>", "<strong>", "</strong>", "<br />", "<code>", "</code>"}


def test_a_command_in_a_remedy_can_be_copied() -> None:
    said = escape_prose("Run `aws sso login --x_y *`, or set A_B to [one].")

    assert said == r"Run `aws sso login --x_y *`, or set A\_B to \[one\]."


@given(st.text("abc *_`[]()<>:$#|~!-+\\{}&;=.@/1", max_size=30))
def test_text_is_shown_as_it_was_written(text: str) -> None:
    shown = MarkdownIt().renderInline(escape_text(text))

    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(entity, letter)
    assert shown.replace("\u2060", "") == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:states:eu-west-1:123456789012:execution:scones:one",
        "photos/2026/bike.png",
        "12:30:45 UTC",
        "自行车, Fahrräder",
    ],
)
def test_what_people_copy_has_no_hidden_letters(text: str) -> None:
    assert re.sub(r"\\(.)", r"\1", escape_text(text)) == text
    assert inline_code(text) == f"`{text}`"


@given(st.text(max_size=50))
def test_what_is_not_seen_is_shown_as_such(text: str) -> None:
    for shown in (escape_text(text), inline_code(text), chart_text(text), clean_block(text)):
        shown.encode()  # no lone surrogates: Streamlit could not send them
        assert not re.search("[\x00\x1b\u202a-\u202e\u2066-\u2069]", shown)
    assert "\n" not in escape_text(text) + inline_code(text)


def test_a_chart_draws_names_and_no_links() -> None:
    name = "<a href='http://evil.example'>Ask</a>"
    at = datetime(2026, 11, 26, tzinfo=UTC)
    bar = Bar(
        row=0, label=name, begin=at, seconds=1, status=VisitStatus.SUCCEEDED, text="", hover=""
    )
    rows = pl.DataFrame({"time": [at], "state": [name], "p50": [1.0], "p95": [2.0]})

    drawn = execution_charts.draw_waterfall([bar], at).to_json()
    drawn += execution_charts.draw_durations(rows, (at, at)).to_json()

    assert "Ask" in drawn
    assert "<a" not in drawn
    assert "\\u003ca" not in drawn


def shown_by_components(payloads: tuple[str, ...]) -> None:
    from dashboard.shared import components  # noqa: PLC0415
    from workflow.errors import WorkflowError  # noqa: PLC0415

    for payload in payloads:
        components.error_state(WorkflowError(payload, payload, payload))


def test_an_error_quotes_text_of_others_harmlessly() -> None:
    payloads = tuple(one for one in PAYLOADS if one.isprintable())
    page = AppTest.from_function(shown_by_components, args=(payloads,)).run()

    assert not page.exception
    assert len(page.error) == len(payloads)
    for payload, error in zip(payloads, page.error, strict=True):
        tags = set(re.findall(r"<[^>]*>", rendered(error.value))) - {"<code>", "</code>"}
        assert tags == {"<p>", "</p>", "<strong>", "</strong>", "<br />"}, payload


FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\x01=1",
    "\uff1d1",
    "=cmd|'x'!A1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_runs_no_formula(text: str) -> None:
    frame = pl.DataFrame({text: [text], "number": [-1.5], "word": ["-2.5e3"], "other": ["a=b"]})

    header, row = csv.reader(io.StringIO(csv_file(frame).decode("utf-8-sig"), newline=""))

    assert header[0] == row[0] == f"'{text}"
    assert row[1:] == ["-1.5", "-2.5e3", "a=b"]


@pytest.mark.parametrize("text", ["1;=2", "a; @b", 'a";=b', "x;+1;-1", "=1;=2"])
def test_csv_begins_no_cell_where_a_semicolon_parts_them(text: str) -> None:
    frame = pl.DataFrame({"first": [text], "second": [text]})

    read = csv.reader(io.StringIO(csv_file(frame).decode("utf-8-sig"), newline=""), delimiter=";")

    assert not [cell for row in read for cell in row if cell[:1] in tuple("=@+-")]


def without_quotes(text: str) -> str:
    return text.replace("'", "")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), min_size=1))
def test_csv_holds_every_text(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts, "kind": pl.Series(texts, dtype=pl.Categorical)})

    _, *rows = csv.reader(io.StringIO(csv_file(frame).decode("utf-8-sig"), newline=""))

    assert [without_quotes(row[0]) for row in rows] == [without_quotes(text) for text in texts]
    assert not [row for row in rows if row[0][:1] in tuple("=@\t\r")]
    assert [row[0] for row in rows] == [row[1] for row in rows]


def test_a_sentence_of_ours_keeps_its_commands_as_code() -> None:
    assert escape_prose("Run `python -m deploy` *now*.") == r"Run `python -m deploy` \*now\*."
    assert escape_prose("`apply` ends") == "`apply` ends"


@given(st.text(max_size=50))
def test_what_others_wrote_stays_text_in_a_sentence_of_ours(text: str) -> None:
    shown = MarkdownIt().render(escape_prose(f"See {text} and `this`."))

    for found in ("<a ", "<img", "<em>", "<strong>", "<h1>"):
        assert found not in shown


@pytest.mark.parametrize("escape", [escape_text, inline_code, chart_text, escape_prose])
def test_ten_megabytes_are_shown_as_their_beginning(escape: Callable[[str], str]) -> None:
    shown = escape("*a" * 5_000_000)

    assert len(shown) < 4 * LONGEST
    assert "9,996,000" in shown


def test_a_block_keeps_its_lines_and_says_how_much_it_leaves_out() -> None:
    assert clean_block('{\n\t"a": 1\r\n}') == '{\n\t"a": 1\r\n}'
    assert clean_block("x" * ((1 << 18) + 7)).endswith("x … (7 characters more)")
