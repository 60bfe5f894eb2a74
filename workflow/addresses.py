"""Addresses: where an object of S3 lies, in every form in which AWS hands it out.

Standard library only: this file is shipped in the zip of every Lambda function, so that the page
and SerializeImage understand the same addresses. Sources: Amazon S3 user guide, "Virtual hosting of
buckets", "Bucket naming rules", "Using access points"; object keys in event notifications are
URL-encoded ("Event message structure").
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, unquote_plus, urlsplit

BUCKET_RULE = (
    "A bucket name is 3 to 63 lower-case letters, digits, dots and hyphens, without s3://, ARN, "
    "slash or space, such as my-bucket."
)

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_SCHEME = re.compile(r"(s3[an]?|https?):/*", re.IGNORECASE)
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<place>[^:]*:[^:]*):(?P<path>.*)", re.DOTALL
)
_AWS = r"(amazonaws\.com(\.cn)?|amazonaws\.eu|api\.aws|c2s\.ic\.gov|sc2s\.sgov\.gov)"
_S3_HOST = re.compile(rf"((?P<bucket>.+)\.)?s3([.-][a-z0-9-]+){{0,3}}\.{_AWS}")
_CONSOLE_HOST = re.compile(
    r"(.+\.)?console\.(aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)"
)
_CONSOLE_PATH = re.compile(r"/s3/(object|buckets)/(?P<bucket>[^/]+)/?(?P<key>.*)")
_LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_QUOTES = "\"'`<>\u201c\u201d\u2018\u2019"
_EXAMPLE = "Give a key such as images/bicycle.png, or s3://my-bucket/images/bicycle.png."


class AddressError(Exception):
    """A text that is not an address of an object.

    Attributes:
        message: What is wrong with it, one sentence.
        remedy: What to give instead, one sentence.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Address:
    """Where an object may lie.

    Attributes:
        bucket: Its bucket; empty where the text is a key alone.
        keys: Its key as it stands there, then as it would read decoded: whether ``a+b`` is a plus
            or a space, only the bucket knows.
    """

    bucket: str
    keys: tuple[str, ...]


def read_address(text: str) -> Address:
    """Read an S3 URI, an ARN, an https URL (also presigned), a console address or a bare key.

    Raises:
        AddressError: It names no object: a folder, a bucket alone, a version, an access point, a
            bucket that cannot be one, or another host.
    """
    said = text.strip().strip(_QUOTES).strip()
    arn, scheme = _ARN.fullmatch(said), _SCHEME.match(said)
    if said.lower().startswith("arn:"):
        bucket, key = _read_arn(arn, said)
    elif scheme and scheme[1].lower().startswith("s3"):
        if _ARN.fullmatch(said[scheme.end() :]):
            return read_address(said[scheme.end() :])
        bucket, _, key = said[said.index(":") + 1 :].removeprefix("//").partition("/")
    elif scheme:
        return _read_url(_split_url(said), said)
    else:
        bare = said.removeprefix("/")
        return Address("", _key_candidates(_object_key(bare, said), said if said != bare else ""))
    return Address(checked_bucket(bucket), _key_candidates(_object_key(key, said)))


def is_whole(text: str) -> bool:
    """Return whether a text is meant as a whole address and not as a key alone."""
    said = text.strip().strip(_QUOTES).strip()
    return said.lower().startswith("arn:") or _SCHEME.match(said) is not None


def decoded_keys(key: str) -> tuple[str, ...]:
    """Return a key as given, then decoded as S3 events encode keys."""
    return _key_candidates(key)


def checked_bucket(name: str) -> str:
    """Return the name of a bucket, as given.

    Raises:
        AddressError: It cannot be one; says what it seems to be.
    """
    if _BUCKET.fullmatch(name) and not _IP.fullmatch(name):
        return name
    if not name:
        raise AddressError("There is no bucket in that address.", _EXAMPLE)
    meant = _guess_bucket(name)
    hint = f" Perhaps {meant} is meant." if meant else ""
    raise AddressError(f"{name[:100]!r} is not a bucket name.{hint}", BUCKET_RULE)


def _guess_bucket(name: str) -> str:
    """Return the bucket that somebody probably meant, empty where nothing suggests itself."""
    bare = name.strip().strip(_QUOTES).strip()
    scheme = _SCHEME.match(bare)
    bare = bare[scheme.end() :] if scheme else bare
    arn = _ARN.fullmatch(bare)
    bare = (arn["path"] if arn else bare).partition("/")[0].strip().lower()
    return bare if _BUCKET.fullmatch(bare) and not _IP.fullmatch(bare) else ""


def _key_candidates(key: str, *others: str) -> tuple[str, ...]:
    """Return the key as given, what it is if it was encoded for a URL, and others; each once."""
    spelled = (key, unquote_plus(key), unquote(key), *others)
    return tuple(dict.fromkeys(one for one in spelled if one))


def _object_key(key: str, said: str) -> str:
    if not key:
        raise AddressError(f"{said[:200]!r} names no object.", _EXAMPLE)
    if key.endswith("/"):
        raise AddressError(
            f"{said[:200]!r} is a folder, not an object.",
            "Give the images in it by their own keys, one a line.",
        )
    return key


def _read_arn(arn: re.Match[str] | None, said: str) -> tuple[str, str]:
    if arn is None:
        raise AddressError(f"{said[:200]!r} is an ARN that is cut off.", _EXAMPLE)
    if arn["service"] != "s3" or arn["place"] != ":":
        kind = "access point" if "accesspoint" in arn["path"] else "resource"
        raise AddressError(
            f"{said[:200]!r} is the ARN of another {kind}, not of an object in a bucket.",
            "Give the bucket behind it and the key, as s3://my-bucket/images/bicycle.png.",
        )
    bucket, _, key = arn["path"].partition("/")
    return bucket, key


def _split_url(said: str) -> SplitResult:
    try:
        return urlsplit(said)
    except ValueError:
        raise _no_s3(said) from None


def _read_url(url: SplitResult, said: str) -> Address:
    host = (url.netloc.rpartition("@")[2]).lower()
    query = parse_qs(url.query, keep_blank_values=True)
    path = url.path.removeprefix("/")
    s3, console = _S3_HOST.fullmatch(host.partition(":")[0]), _CONSOLE_PATH.match(url.path)
    if _CONSOLE_HOST.fullmatch(host) and console:
        key = query.get("prefix", [unquote_plus(console["key"])])[0]
        _check_version(query, said)
        return Address(checked_bucket(unquote(console["bucket"])), (_object_key(key, said),))
    if "s3-accesspoint" in host or "s3-object-lambda" in host or "s3-outposts" in host:
        raise AddressError(
            f"{host} is an access point, not a bucket.",
            "Give the bucket behind it and the key, as s3://my-bucket/images/bicycle.png.",
        )
    if s3 is None and not _LOCAL.fullmatch(host):
        raise _no_s3(said)
    # Virtual-hosted style has the bucket in the host, path style in the path.
    bucket, key = (s3["bucket"], path) if s3 and s3["bucket"] else _split_path(path)
    _check_version(query, said)
    key = _object_key(key, said)
    # In a URL the decoded key is the likelier one, unlike in a bare key.
    spelled = (unquote_plus(key), unquote(key), key)
    return Address(checked_bucket(unquote(bucket)), tuple(dict.fromkeys(spelled)))


def _no_s3(said: str) -> AddressError:
    return AddressError(
        f"{said[:200]!r} is not an address of S3.",
        "Download the image and upload it here, or give its key or its s3:// address.",
    )


def _split_path(path: str) -> tuple[str, str]:
    bucket, _, key = path.partition("/")
    return bucket, key


def _check_version(query: dict[str, list[str]], said: str) -> None:
    version = query.get("versionId", [""])[0]
    # "null" is the version of an object in a bucket without versioning.
    if version not in ("", "null"):
        raise AddressError(
            f"{said[:200]!r} names one version of an object; the workflow reads the latest.",
            "Leave versionId out, or copy that version to a key of its own.",
        )
