"""Addresses of the web: only https, only public hosts, whatever their name stands for."""

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.classify import photo_download
from dashboard.classify.photo_download import check_address, public_place
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from http.client import HTTPResponse


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/a.jpg",
        "file:///etc/passwd",
        "https:///a.jpg",
        "https://user@example.com/a.jpg",
        "https://example.com:8443/a.jpg",
        "https://example.com:port/a.jpg",
        "https://[::1",
        "example.com/a.jpg",
        "",
    ],
)
def test_only_a_plain_https_address_is_asked(address: str) -> None:
    with pytest.raises(WorkflowError) as raised:
        check_address(address)

    assert raised.value.code == "AddressRefused"


def test_host_and_path_with_its_query_are_kept() -> None:
    assert check_address("https://Example.com/a/b%20c.jpg?x=1#there") == (
        "example.com",
        "/a/b%20c.jpg?x=1",
    )
    assert check_address("https://example.com:443") == ("example.com", "/")


@given(st.text())
def test_any_text_is_an_address_or_refused_in_words(text: str) -> None:
    try:
        found = check_address(text)
    except WorkflowError as error:
        found = (error.code, "/")

    assert found[0]
    assert found[1].startswith("/")


@pytest.mark.parametrize(
    "places",
    [
        ["127.0.0.1"],
        ["10.0.0.8"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:10.0.0.8"],
        ["::10.0.0.8"],
        ["2002:a00:8::1"],
        ["64:ff9b::a9fe:a9fe"],
        ["fec0::1"],
        ["100.64.0.1"],
        ["224.0.0.1"],
        ["93.184.216.34", "192.168.1.1"],
        [],
    ],
)
def test_a_name_that_stands_for_anything_private_is_refused(places: list[str]) -> None:
    with pytest.raises(WorkflowError) as raised:
        public_place("vans.example", lambda _: places)

    assert raised.value.code == "AddressRefused"


def test_the_address_that_was_looked_at_is_the_one_connected_to() -> None:
    assert public_place("vans.example", lambda _: ["93.184.216.34"]) == "93.184.216.34"


def test_a_name_that_cannot_be_resolved_is_refused_in_words() -> None:
    def fails(_: str) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(WorkflowError, match="cannot be resolved"):
        public_place("vans.example", fails)


def test_a_public_address_of_ipv6_is_asked() -> None:
    place = "2606:2800:220:1:248:1893:25c8:1946"

    assert public_place("vans.example", lambda _: [place]) == place


class Trickle:
    """A body of which a byte comes each nine seconds, each in time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._clock = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self._clock)

    def read1(self, _: int) -> bytes:
        self._clock += 9
        return b"x"


def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    trickle = cast("HTTPResponse", Trickle(monkeypatch))
    with pytest.raises(TimeoutError):
        photo_download._read_body(trickle)


def test_a_body_is_read_to_one_byte_more_than_a_photo_may_have() -> None:
    endless = SimpleNamespace(read1=lambda size: b"x" * min(size, 1_000_000))
    parts = iter([b"ab", b"c", b""])
    short = SimpleNamespace(read1=lambda _: next(parts))

    assert len(photo_download._read_body(cast("HTTPResponse", endless))) == MAX_IMAGE_BYTES + 1
    assert photo_download._read_body(cast("HTTPResponse", short)) == b"abc"
