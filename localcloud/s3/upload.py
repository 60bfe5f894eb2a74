"""Upload: the body of a PUT as S3 clients send it, unwrapped and checked against its digests."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping

from localcloud.errors import AwsError

CHECKSUMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
# CRC32C and CRC64NVME are kept and given back, but not verified: nothing here computes them.
_COMPUTED: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "sha1": lambda data: hashlib.sha1(data).digest(),  # noqa: S324 - S3's checksum, not security
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def unwrap_body(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """Return the object's bytes and its checksums by algorithm.

    Args:
        body: The request's body, maybe in aws-chunked encoding with a trailing checksum.
        headers: The request's headers in lower case.

    Raises:
        AwsError: ``BadDigest`` or ``IncompleteBody``.
    """
    trailers: dict[str, str] = {}
    # aws-chunked, as boto3 sends streams: the checksum follows the last chunk as a trailer.
    if headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        body, trailers = _decode_chunks(body)
        wanted = headers.get("x-amz-decoded-content-length")
        if wanted is not None and len(body) != int(wanted):
            raise AwsError(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP "
                "header",
            )
    _check_md5(body, headers.get("content-md5"))
    given = given_checksums({**headers, **trailers})
    for name, value in given.items():
        compute = _COMPUTED.get(name)
        if compute is not None and base64.b64encode(compute(body)).decode() != value:
            raise AwsError(
                "BadDigest",
                f"The {name.upper()} you specified did not match the calculated checksum.",
            )
    return body, given


def given_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums that headers or trailers give, by algorithm."""
    return {name: value for name in CHECKSUMS if (value := headers.get(f"x-amz-checksum-{name}"))}


def _check_md5(body: bytes, wanted: str | None) -> None:
    if wanted is None:
        return
    actual = base64.b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324 - S3's digest
    if actual != wanted:
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")


def _decode_chunks(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return bytes and trailers out of aws-chunked encoding."""
    out, at = bytearray(), 0
    while True:
        end = body.find(b"\r\n", at)
        try:
            # Behind a semicolon is the signature of the chunk.
            size = int(body[at:end].partition(b";")[0], 16) if end >= 0 else -1
        except ValueError:
            size = -1
        if size < 0 or end + 2 + size > len(body):
            raise AwsError("IncompleteBody", "The request body terminated unexpectedly")
        at = end + 2
        if size == 0:
            break
        out += body[at : at + size]
        # Each chunk ends with a line end of its own, which is not in its size.
        at += size + 2
    lines = body[at:].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return bytes(out), {name.strip().lower(): value.strip() for name, _, value in pairs}
