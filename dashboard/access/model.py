"""Access as it is configured: how people are told apart, and which role each has. Pure."""

import ipaddress
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from workflow.access import Actor, Role
from workflow.errors import WorkflowError

MODE: Final = "SCONES_ACCESS"
FILE: Final = "SCONES_ACCESS_FILE"
HEADER: Final = "SCONES_USER_HEADER"
DEFAULT_HEADER: Final = "X-Forwarded-Email"
_SEE: Final = "docs/access.md shows both."


class Mode(StrEnum):
    """How the dashboard knows who is at a page."""

    OPEN = "open"
    LOGIN = "login"
    PROXY = "proxy"
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True)
class Roles:
    """Who has which role.

    Attributes:
        users: Role by e-mail address or name; ``*@example.com`` stands for all of a domain.
        claims: Role by the value of a claim of the identity token, by the claim's name.
    """

    users: Mapping[str, Role] = field(default_factory=dict)
    claims: Mapping[str, Mapping[str, Role]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Access:
    """What was configured.

    Attributes:
        mode: How people are told apart.
        header: The header in which a proxy names the person; of the mode ``PROXY`` only.
        roles: Who has which role; of ``LOGIN`` and ``PROXY`` only.
    """

    mode: Mode
    header: str = DEFAULT_HEADER
    roles: Roles = field(default_factory=Roles)


def is_exposed(address: str | None, names: Iterable[str]) -> bool:
    """Return whether others than this machine's own browsers may reach the dashboard.

    Args:
        address: What it is bound to (``server.address``); None stands for every interface.
        names: Names that it answers to (``server.allowedHosts``, ``browser.serverAddress``): one
            beside this machine's own means that a proxy passes requests on.
    """
    return not (address and is_loopback(address) and all(map(is_loopback, names)))


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine as it reaches itself."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def configure_access(
    environ: Mapping[str, str], *, exposed: bool, login: bool, file: str
) -> Access:
    """Return how people are told apart.

    Args:
        environ: ``SCONES_ACCESS`` and ``SCONES_USER_HEADER``.
        exposed: Whether others than this machine's own browsers may reach the dashboard.
        login: Whether Streamlit has an ``[auth]`` section, for OpenID Connect.
        file: Text of the access file; empty where there is none.

    Raises:
        WorkflowError: ``AccessNotConfigured`` where anybody could do anything, or nobody could do
            something; ``AccessFileInvalid``; ``SettingInvalid``.
    """
    chosen = environ.get(MODE, "")
    if chosen not in {"", Mode.LOGIN, Mode.PROXY, Mode.READ_ONLY}:
        raise WorkflowError(
            "SettingInvalid",
            f"{MODE} is {chosen!r}.",
            f"Set it to {Mode.LOGIN}, {Mode.PROXY} or {Mode.READ_ONLY}, or leave it out.",
        )
    if chosen == Mode.READ_ONLY:
        return Access(Mode.READ_ONLY)
    if chosen == Mode.PROXY:
        header = environ.get(HEADER) or DEFAULT_HEADER
        return Access(Mode.PROXY, header, _require_roles(file))
    if login:
        return Access(Mode.LOGIN, roles=_require_roles(file))
    if chosen == Mode.LOGIN or exposed:
        raise WorkflowError(
            "AccessNotConfigured",
            "The dashboard can be reached from other machines, and nothing says who may use it."
            if exposed
            else f"{MODE} is {chosen}, but Streamlit has no [auth] section to log in with.",
            f"Give .streamlit/secrets.toml an [auth] section and {FILE} a list of people; or set"
            f" {MODE}=proxy behind a proxy that names the person, or {MODE}=read-only. {_SEE}",
        )
    return Access(Mode.OPEN)


def read_roles(text: str) -> Roles:
    """Read an access file.

    Args:
        text: TOML with ``[users]`` (address = role) and ``[claims.NAME]`` (value = role).

    Raises:
        WorkflowError: ``AccessFileInvalid``.
    """
    try:
        document = tomllib.loads(text)
        unknown = document.keys() - {"users", "claims"}
        if unknown:
            raise _invalid_error(f"it has {', '.join(sorted(unknown))}")
        users = _parse_roles(document.get("users", {}))
        claims = {name: _parse_roles(table) for name, table in document.get("claims", {}).items()}
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise _invalid_error(str(error)) from error
    return Roles({_fold_case(name): role for name, role in users.items()}, claims)


def actor_of(access: Access, identity: Mapping[str, Any], *, local_user: str) -> Actor:
    """Return who is at the page.

    Args:
        access: What was configured.
        identity: Claims of the identity token, or ``email`` as the proxy's header says.
        local_user: Name of the user whose process it is.

    Raises:
        WorkflowError: ``NotLoggedIn``; ``NotListed`` for somebody without a role.
    """
    if access.mode is Mode.OPEN:
        return Actor(local_user, Role.ADMIN)
    if access.mode is Mode.READ_ONLY:
        return Actor("a reader", Role.VIEWER)
    email = _find_email(identity)
    # An address that nobody has verified may be another person's: it does not sign as that person.
    said = identity.get("email")
    name = email or str(identity.get("sub") or (f"unverified {said}" if said else ""))
    if not name:
        raise WorkflowError("NotLoggedIn", "Nobody is logged in.", "Log in, then open this again.")
    roles = [*_by_name(access.roles, email), *_by_claim(access.roles, identity)]
    if not roles:
        raise WorkflowError(
            "NotListed",
            f"{name} has no role on this dashboard.",
            "Ask its administrator to add you to the access file (docs/access.md).",
        )
    # The highest: a group adds to what a person may do and takes nothing away.
    return Actor(name, max(roles))


def _find_email(identity: Mapping[str, Any]) -> str:
    """Return the e-mail address; empty where the provider says that it is not verified.

    Some providers write the claim as text.
    """
    email = identity.get("email")
    verified = str(identity.get("email_verified", True)).lower() == "true"
    return email if isinstance(email, str) and verified else ""


def _by_name(roles: Roles, email: str) -> Iterable[Role]:
    name = _fold_case(email)
    return [
        role
        for pattern, role in roles.users.items()
        if name and (pattern == name or (pattern.startswith("*@") and name.endswith(pattern[1:])))
    ]


def _fold_case(name: str) -> str:
    """Return a name in lower case; other letters stay, for some become a letter of ASCII."""
    return name.lower() if name.isascii() else name


def _by_claim(roles: Roles, identity: Mapping[str, Any]) -> Iterable[Role]:
    for claim, table in roles.claims.items():
        said = identity.get(claim)
        values = said if isinstance(said, list) else [said]
        yield from (table[value] for value in values if isinstance(value, str) and value in table)


def _require_roles(file: str) -> Roles:
    roles = read_roles(file)
    if not roles.users and not any(roles.claims.values()):
        raise WorkflowError(
            "AccessNotConfigured",
            "Nobody may use the dashboard: the access file names no one.",
            f"Let {FILE} name a file with [users] or [claims.NAME]. {_SEE}",
        )
    return roles


def _parse_roles(table: Mapping[str, object]) -> dict[str, Role]:
    return {name: Role.named(role) for name, role in table.items()}


def _invalid_error(reason: str) -> WorkflowError:
    return WorkflowError(
        "AccessFileInvalid",
        f"The access file cannot be used: {reason}.",
        'Give it [users] with lines such as "ana@example.com" = "operator". See docs/access.md.',
    )
