"""Credentials: the keys of one local cloud, kept in its directory, and those of the roles in it.

The file has the form of AWS's shared credentials file, so that any client can be pointed to it.
https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

import base64
import configparser
import hashlib
import hmac
import os
import secrets
import shlex
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botocore import auth, awsrequest
from botocore.credentials import Credentials as Key

from workflow.errors import WorkflowError

FILE_NAME = "credentials"
_PROFILE = "default"
_ID, _SECRET = "aws_access_key_id", "aws_secret_access_key"
_ROLE_PREFIX = "role."
_LINK_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key.

    Attributes:
        access_key_id: Its public half.
        secret_access_key: What requests are signed with.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)

    def of_role(self, role: str) -> "Credentials":
        """Return the access key of a role, which tells nothing about this one."""
        access_key_id = _ROLE_PREFIX + role
        key, message = self.secret_access_key.encode(), access_key_id.encode()
        # Derived from the secret, so that no key of a role has to be kept.
        digest = hmac.new(key, message, hashlib.sha256).digest()
        return Credentials(access_key_id, base64.b64encode(digest).decode())

    def secret_of(self, access_key_id: str) -> str | None:
        """Return the secret of an access key id; None for one that was never given out."""
        if access_key_id == self.access_key_id:
            return self.secret_access_key
        role = role_of(access_key_id)
        return self.of_role(role).secret_access_key if role else None

    def sign_headers(self, url: str, region: str) -> dict[str, str]:
        """Return the headers of a signed GET of an address of the local cloud's own."""
        request = awsrequest.AWSRequest("GET", url)
        auth.SigV4Auth(self._key, "localcloud", region).add_auth(request)
        return dict(request.headers.items())

    def presign_url(self, url: str, region: str) -> str:
        """Return an address that anybody can GET for ten minutes."""
        request = awsrequest.AWSRequest("GET", url)
        auth.S3SigV4QueryAuth(self._key, "s3", region, expires=_LINK_SECONDS).add_auth(request)
        return str(request.url)

    @property
    def _key(self) -> Key:
        return Key(self.access_key_id, self.secret_access_key)


def role_of(access_key_id: str) -> str | None:
    """Return the role that an access key id stands for; None for a caller from outside."""
    if not access_key_id.startswith(_ROLE_PREFIX):
        return None
    return access_key_id.removeprefix(_ROLE_PREFIX)


def load_or_create(directory: Path) -> Credentials:
    """Return the credentials of a local cloud's directory; made at random where it has none yet.

    Raises:
        WorkflowError: ``CloudNotWritable`` or ``CloudCorrupt``.
    """
    path = directory / FILE_NAME
    try:
        if path.exists():
            path.chmod(0o600)
            return read_file(path)
        made = _make_random()
        # Renamed when complete, and made with its mode: at no moment can others read half or all of
        # it.
        part = path.with_name(f"{FILE_NAME}.part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"[{_PROFILE}]\n{_ID} = {made.access_key_id}\n")
            file.write(f"{_SECRET} = {made.secret_access_key}\n")
        part.rename(path)
    except OSError as error:
        raise WorkflowError(
            "CloudNotWritable",
            f"The local cloud cannot keep its credentials in {path}: {error}.",
            "Give another directory with --dir, or make this one writable.",
        ) from error
    return made


def read_file(path: Path) -> Credentials:
    """Return the credentials in a file that ``keep`` has written.

    Raises:
        OSError: It cannot be read.
        WorkflowError: ``CloudCorrupt``.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text())
        return Credentials(parser[_PROFILE][_ID], parser[_PROFILE][_SECRET])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "CloudCorrupt",
            f"{path} holds no access key.",
            "Stop the local cloud, delete that file and start it again: it makes a new one.",
        ) from error


def export_commands(line: Mapping[str, str], credentials: Credentials) -> str:
    """Return commands of a POSIX shell that point every AWS client to a local cloud.

    Args:
        line: What the local cloud says when it is ready.
        credentials: Its credentials.
    """
    variables = {
        "AWS_ENDPOINT_URL": line["endpoint_url"],
        # TestState has a host of its own on AWS; 127.0.0.1 cannot have one.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_REGION": line["region"],
        "AWS_DEFAULT_REGION": line["region"],
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*lines, "unset AWS_PROFILE AWS_SESSION_TOKEN"])


def _make_random() -> Credentials:
    letters = string.ascii_uppercase + "234567"
    access_key_id = "AKIA" + "".join(secrets.choice(letters) for _ in range(16))
    return Credentials(access_key_id, secrets.token_urlsafe(30))
