"""Objects: one S3 bucket read with obstore, a client made for many small objects at once.

It reaches the same place with the same credentials as the boto3 session it is made from, and
raises what goes wrong as the same ``WorkflowError``.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from dashboard.aws.errors import explain
from workflow.aws_errors import translate
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from obstore.store import ClientConfig
    from types_boto3_s3 import S3Client

PAGE: Final = 1000
"""Keys of one ListObjectsV2 page: the most that S3 gives."""

_UNREADABLE: Final = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)|[\x00-\x1f\x7f]")
"""What obstore takes no key with: folder names that are empty or dots, and control characters."""

ABOUT_ONE_OBJECT: Final = frozenset(
    {
        "AccessDenied",
        "InvalidObjectState",
        "KMS.DisabledException",
        "KMS.InvalidStateException",
        "KMS.KMSInvalidStateException",
        "KMS.NotFoundException",
        "NoSuchKey",
    }
)
"""Codes that may concern one object alone: others can be read nevertheless."""

_CODE: Final = re.compile(r"<Code>([\w.]+)</Code>")
_MESSAGE: Final = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_STATUS: Final = re.compile(r"\b([45]\d\d)\b")
_CODES: Final = (
    (PermissionDeniedError, "AccessDenied"),
    (UnauthenticatedError, "InvalidAccessKeyId"),
    (NotFoundError, "NoSuchKey"),
)


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What a listing says of an object.

    Attributes:
        key: Its key.
        etag: Its ETag, with quotes as S3 gives it; empty where S3 gives none.
        size: In bytes.
        last_modified: Aware, UTC.
        readable: Whether it can be read; not so with a folder name that is empty, as in ``a//b``.
    """

    key: str
    etag: str
    size: int
    last_modified: datetime
    readable: bool = True


class Bucket:
    """One S3 bucket.

    Args:
        name: The bucket's name.
        store: The obstore client.
        client: Lists what obstore cannot: it gives up a listing for one key that it cannot read.
    """

    def __init__(self, name: str, store: S3Store, client: "S3Client") -> None:
        self.name = name
        self._store = store
        self._client = client

    @classmethod
    def of(cls, session: boto3.Session, name: str) -> Self:
        """Open a bucket where a boto3 session's S3 client would look for it.

        Proxies come from the environment in both libraries (``HTTPS_PROXY``, ``NO_PROXY``).

        Raises:
            WorkflowError: The session has no credentials or no region, under botocore's name;
                ``CaBundleUnreadable``.
        """
        try:
            client = session.client("s3")
            # Asked for again now and then: the credentials of a role expire.
            credentials = Boto3CredentialProvider(session, ttl=timedelta(minutes=5))
        except (BotoCoreError, ClientError) as error:
            raise explain(error, "s3:ListObjectsV2", name) from error
        except ValueError as error:
            raise translate(
                operation="s3:ListObjectsV2", code="NoCredentialsError", message=str(error)
            ) from error
        endpoint = client.meta.endpoint_url
        return cls(
            name,
            S3Store(
                name,
                endpoint=endpoint,
                region=client.meta.region_name,
                # Path style: a bucket's name with dots fits no wildcard certificate, and a local
                # endpoint has no host for each bucket.
                virtual_hosted_style_request=False,
                credential_provider=credentials,
                client_options={
                    "allow_http": endpoint.startswith("http:"),
                    "connect_timeout": timedelta(seconds=3),
                    "read_timeout": timedelta(seconds=20),
                    "timeout": timedelta(minutes=10),
                    **_trusted_certificates(session),
                },
                retry_config={
                    "max_retries": 6,
                    "retry_timeout": timedelta(minutes=1),
                    "backoff": {
                        "init_backoff": timedelta(milliseconds=100),
                        "max_backoff": timedelta(seconds=5),
                        "base": 2,
                    },
                },
            ),
            client,
        )

    def children(self, prefix: str) -> tuple[list[str], list[ObjectMeta]]:
        """List folders and objects directly below a prefix; no slash at the end of either.

        A folder that cannot be read is none of them: all its objects are there in its place.
        Placeholders of folders, as the console makes them, are no objects.

        Raises:
            WorkflowError: The listing failed, under AWS's own code.
        """
        with self._explain_errors("s3:ListObjectsV2", self.name):
            try:
                found = obstore.list_with_delimiter(self._store, prefix)
            except BaseError as error:
                # obstore gives up a whole listing for one key that it cannot represent.
                if not _is_about_a_key(error):
                    raise
                folders, objects = self._list_children(prefix)
            else:
                folders = list(found["common_prefixes"])
                objects = [_convert_meta(item) for item in found["objects"]]
                if not folders and not objects:  # as in `objects`
                    folders, objects = self._list_children(prefix)
            return folders, _without_placeholders(objects, prefix)

    def objects(self, prefix: str, after: str | None = None) -> Iterator[list[ObjectMeta]]:
        """Yield all objects below a prefix in the order of their keys, page by page.

        Placeholders of folders, as the console makes them, are left out; that of an empty folder
        cannot be told from an empty object, and is one.

        Args:
            prefix: A folder, without its final slash.
            after: Only keys that come after this one.

        Raises:
            WorkflowError: The listing failed, under AWS's own code.
        """
        page: list[ObjectMeta] = []
        with self._explain_errors("s3:ListObjectsV2", self.name):
            try:
                for items in obstore.list(self._store, prefix, offset=after, chunk_size=PAGE):
                    page = [_convert_meta(item) for item in items]
                    yield _without_placeholders(page, prefix)
            except BaseError as error:
                if not _is_about_a_key(error):
                    raise
                yield from self._list_rest(prefix, page, after)
            else:
                # obstore takes the page of a proxy for an empty listing; botocore's parser does
                # not.
                if not page and after is None:
                    yield from self._list_rest(prefix, page, after)

    def _list_rest(
        self, prefix: str, page: list[ObjectMeta], after: str | None
    ) -> Iterator[list[ObjectMeta]]:
        """Go on with a listing after a page of it, or where it began.

        The last key of the page may have lost its slash, and come before others of the page then.
        """
        seen = {meta.key for meta in page}
        for listed in self._list_pages(prefix, after=page[-1].key if page else after):
            metas = map(_convert_listed, listed.get("Contents", ()))
            fresh = [meta for meta in metas if meta.key not in seen]
            yield _without_placeholders(fresh, prefix)

    def _list_children(self, prefix: str) -> tuple[list[str], list[ObjectMeta]]:
        folders: list[str] = []
        objects: list[ObjectMeta] = []
        for page in self._list_pages(prefix, delimiter="/"):
            objects += map(_convert_listed, page.get("Contents", ()))
            for found in page.get("CommonPrefixes", ()):
                folder = found["Prefix"].removesuffix("/")
                if _is_readable(found["Prefix"]):
                    folders.append(folder)
                else:
                    for below in self._list_pages(folder):
                        objects += map(_convert_listed, below.get("Contents", ()))
        return folders, objects

    def _list_pages(
        self, prefix: str, *, after: str | None = None, delimiter: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        """Yield S3's own answers to a listing, whatever the keys."""
        paginator = self._client.get_paginator("list_objects_v2")
        yield from paginator.paginate(
            Bucket=self.name, Prefix=f"{prefix}/", StartAfter=after or "", Delimiter=delimiter
        )

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Return some of an object's bytes; fewer where it ends before.

        Raises:
            WorkflowError: The object could not be read, under AWS's own code (``InvalidRange``
                where it has none of these bytes); ``KeyUnreadable``.
        """
        self._check_key(key)
        with self._explain_errors("s3:GetObject", f"{self.name}/{key}"):
            return obstore.get_range(self._store, key, start=offset, length=length).to_bytes()

    def read_whole(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            WorkflowError: The object could not be read, under AWS's own code; ``KeyUnreadable``.
        """
        self._check_key(key)
        with self._explain_errors("s3:GetObject", f"{self.name}/{key}"):
            return obstore.get(self._store, key).bytes().to_bytes()

    def _check_key(self, key: str) -> None:
        if not _is_readable(key):
            raise WorkflowError(
                "KeyUnreadable",
                f"The key {key!r} in {self.name} cannot be read.",
                "Move or delete that object; empty folder names, as in a//b, cannot be read.",
            )

    @contextmanager
    def _explain_errors(self, operation: str, subject: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise explain(error, operation, subject) from error
        except (BaseError, OSError, TimeoutError) as error:
            raise _translate_error(error, operation, subject) from error


def _trusted_certificates(session: boto3.Session) -> "ClientConfig":
    """Return the certificates that botocore trusts in the place of its own, where there are any.

    Source: "AWS_CA_BUNDLE" and "ca_bundle" of the Boto3 guide "Configuration"; botocore falls back
    on ``REQUESTS_CA_BUNDLE``. obstore reads none of them itself.
    """
    path = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - boto3 has no other way
    path = path or os.environ.get("REQUESTS_CA_BUNDLE")
    if not path:
        return {}
    try:
        ssl.create_default_context(cafile=path)  # as boto3 will: an SSLError is an OSError
        return {"root_certificate": Path(path).read_bytes()}
    except OSError as error:
        raise WorkflowError(
            "CaBundleUnreadable",
            f"The certificates in {path} cannot be read: {error}.",
            "Set AWS_CA_BUNDLE, or ca_bundle of the AWS profile, to a PEM file, or unset it.",
        ) from error


def _convert_meta(item: Any) -> ObjectMeta:  # noqa: ANN401 - obstore's TypedDict exists for checkers only
    return ObjectMeta(item["path"], item["e_tag"] or "", item["size"], item["last_modified"])


def _convert_listed(item: Mapping[str, Any]) -> ObjectMeta:
    """Convert what S3 says of an object; a readable key loses its final slash, as in obstore."""
    key = item["Key"]
    readable = _is_readable(key)
    return ObjectMeta(
        key.removesuffix("/") if readable else key,
        item.get("ETag", ""),
        item["Size"],
        item["LastModified"],
        readable,
    )


def _without_placeholders(metas: list[ObjectMeta], prefix: str) -> list[ObjectMeta]:
    """Leave out ``folder/``, which has lost its slash: empty, and before what is in the folder."""
    following = [*(meta.key for meta in metas[1:]), ""]
    return [
        meta
        for meta, after in zip(metas, following, strict=False)
        if meta.size or not (meta.key == prefix or after.startswith(f"{meta.key}/"))
    ]


def _is_readable(key: str) -> bool:
    return not _UNREADABLE.search(key.removesuffix("/"))


def _is_about_a_key(error: BaseError) -> bool:
    """Return whether obstore gave up a listing because of a key in it."""
    return "invalid path" in str(error)


def _translate_error(error: Exception, operation: str, subject: str) -> WorkflowError:
    """Take an obstore error apart: S3's XML where there is any, else its class and its text."""
    text = str(error)
    code, message, status = _CODE.search(text), _MESSAGE.search(text), _STATUS.search(text)
    name = next((name for kind, name in _CODES if isinstance(error, kind)), "ServiceUnavailable")
    if "error sending request" in text:
        name = "EndpointConnectionError"
    return translate(
        operation=operation,
        code=code[1] if code else name,
        message=message[1] if message else text.partition("\n")[0],
        status=int(status[1]) if status else 0,
        subject=subject,
    )
