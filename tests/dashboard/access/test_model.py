"""Beyond this machine nobody gets in without a role, and a dashboard left open does not start."""

from importlib.util import find_spec
from typing import Any

import pytest

from dashboard.access.model import (
    DEFAULT_HEADER,
    Access,
    Mode,
    Roles,
    actor_of,
    configure_access,
    is_exposed,
    read_roles,
)
from workflow.access import Actor, Role
from workflow.errors import WorkflowError

FILE = """
[users]
"Ana@example.com" = "admin"
"*@example.com" = "viewer"
[claims.groups]
vans = "operator"
"""
ROLES = read_roles(FILE)
LOGIN = Access(Mode.LOGIN, roles=ROLES)


@pytest.mark.parametrize(
    ("address", "names", "exposed"),
    [
        ("127.0.0.1", [], False),
        ("localhost", ["localhost"], False),
        ("::1", [], False),
        ("127.8.9.1", ["127.0.0.1"], False),
        (None, [], True),
        ("", [], True),
        ("0.0.0.0", [], True),  # noqa: S104 - the case that is to be refused
        ("::", [], True),
        ("10.0.0.7", [], True),
        ("dashboard.example.com", [], True),
        ("unix:///run/scones.sock", [], True),
        ("127.0.0.1", ["scones.example.com"], True),
        ("127.0.0.1", ["*"], True),
        ("127.0.0.1.evil.example", [], True),
    ],
)
def test_what_others_can_reach_is_known_by_address_and_names(
    *, address: str | None, names: list[str], exposed: bool
) -> None:
    assert is_exposed(address, names) is exposed


def code(environ: dict[str, str], *, exposed: bool, login: bool, file: str = "") -> str:
    try:
        return configure_access(environ, exposed=exposed, login=login, file=file).mode.value
    except WorkflowError as error:
        return error.code


@pytest.mark.parametrize(
    ("chosen", "exposed", "login", "file", "expected"),
    [
        ("", False, False, "", "open"),
        ("", True, False, "", "AccessNotConfigured"),
        ("", True, False, FILE, "AccessNotConfigured"),
        ("", True, True, "", "AccessNotConfigured"),
        ("", False, True, "", "AccessNotConfigured"),
        ("", True, True, FILE, "login"),
        ("", False, True, FILE, "login"),
        ("login", False, False, FILE, "AccessNotConfigured"),
        ("proxy", True, False, FILE, "proxy"),
        ("proxy", True, True, FILE, "proxy"),
        ("proxy", True, False, "", "AccessNotConfigured"),
        ("proxy", False, False, "[users]", "AccessNotConfigured"),
        ("read-only", True, False, "", "read-only"),
        ("read-only", False, True, FILE, "read-only"),
        ("open", True, False, "", "SettingInvalid"),
        ("anything", False, False, "", "SettingInvalid"),
    ],
)
def test_only_this_machine_gets_in_without_a_login(
    *, chosen: str, exposed: bool, login: bool, file: str, expected: str
) -> None:
    assert code({"SCONES_ACCESS": chosen}, exposed=exposed, login=login, file=file) == expected


def test_the_header_of_a_proxy_can_be_named() -> None:
    environ = {"SCONES_ACCESS": "proxy", "SCONES_USER_HEADER": "X-Amzn-Oidc-Identity"}

    named = configure_access(environ, exposed=True, login=False, file=FILE)
    default = configure_access({"SCONES_ACCESS": "proxy"}, exposed=True, login=False, file=FILE)

    assert (named.header, default.header) == ("X-Amzn-Oidc-Identity", DEFAULT_HEADER)


@pytest.mark.parametrize(
    ("identity", "role"),
    [
        ({"email": "ana@example.com"}, Role.ADMIN),
        ({"email": "ANA@Example.COM"}, Role.ADMIN),
        ({"email": "bo@example.com"}, Role.VIEWER),
        ({"email": "bo@example.com", "groups": ["pies", "vans"]}, Role.OPERATOR),
        ({"email": "bo@elsewhere.com", "groups": "vans"}, Role.OPERATOR),
        ({"sub": "bo", "groups": ["vans"]}, Role.OPERATOR),
        ({"email": "ana@example.com", "email_verified": True}, Role.ADMIN),
        ({"email": "ana@example.com", "email_verified": False, "groups": ["vans"]}, Role.OPERATOR),
    ],
)
def test_the_highest_of_a_persons_roles_counts(identity: dict[str, Any], role: Role) -> None:
    assert actor_of(LOGIN, identity, local_user="root").role is role


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ({}, "NotLoggedIn"),
        ({"email": ""}, "NotLoggedIn"),
        ({"email": "bo@elsewhere.com"}, "NotListed"),
        ({"email": "bo@example.com.evil.net"}, "NotListed"),
        ({"email": "bo@evil-example.com"}, "NotListed"),
        ({"email": "ana@example.com", "email_verified": False}, "NotListed"),
        ({"email": "ana@example.com", "email_verified": "false"}, "NotListed"),
        ({"email": "ana@example.com", "email_verified": "no"}, "NotListed"),
        ({"email": "ana@example.com", "email_verified": 0}, "NotListed"),
        ({"email": "ana@example.com", "email_verified": None}, "NotListed"),
        ({"email": "*@example.com\nx@evil.net"}, "NotListed"),
        ({"email": ["ana@example.com"]}, "NotListed"),
        ({"sub": "ana@example.com"}, "NotListed"),
        ({"email": "bo@elsewhere.com", "groups": {"vans": True}}, "NotListed"),
        ({"email": "bo@elsewhere.com", "groups": [["vans"]]}, "NotListed"),
    ],
)
def test_nobody_else_gets_in(identity: dict[str, Any], expected: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        actor_of(LOGIN, identity, local_user="root")

    assert caught.value.code == expected


def test_the_user_of_this_machine_may_do_everything_and_a_reader_nothing() -> None:
    claims = {"email": "ana@example.com"}

    assert actor_of(Access(Mode.OPEN), claims, local_user="bo") == Actor("bo", Role.ADMIN)
    assert actor_of(Access(Mode.READ_ONLY), claims, local_user="bo").role is Role.VIEWER


@pytest.mark.parametrize(
    "text",
    [
        "users = 1",
        "[users",
        "[user]\n'a@b.c' = 'admin'",
        "[users]\n'a@b.c' = 'root'",
        "[users]\n'a@b.c' = 1",
        "[claims]\ngroups = 'admin'",
        "claims = 3",
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_nobody_gets_in_by_it(text: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_roles(text)

    assert caught.value.code in {"AccessFileInvalid", "RoleUnknown"}


def test_an_empty_file_names_nobody() -> None:
    assert read_roles("") == Roles()


def test_what_streamlit_needs_to_log_people_in_is_installed() -> None:
    assert find_spec("authlib") is not None


def test_a_letter_that_lower_case_turns_into_another_is_another_person() -> None:
    kelvin = {"email": "mar\N{KELVIN SIGN}@example.com"}
    roles = read_roles('[users]\n"mark@example.com" = "admin"\n"*@example.com" = "viewer"\n')

    assert actor_of(Access(Mode.LOGIN, roles=roles), kelvin, local_user="root").role is Role.VIEWER


def test_an_address_that_nobody_has_verified_does_not_sign_as_that_person() -> None:
    eve = {"email": "ana@example.com", "email_verified": False, "groups": ["vans"]}

    assert actor_of(LOGIN, eve, local_user="root").name == "unverified ana@example.com"
    assert actor_of(LOGIN, {**eve, "sub": "248289761001"}, local_user="root").name == "248289761001"
