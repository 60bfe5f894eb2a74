"""Payloads: photos and other long texts of histories, kept once however many events hold them.

What is long between two quotes of a row's JSON is replaced by its digest between two control
characters, which JSON never holds unescaped, and comes back byte for byte. Base64 is kept as the
bytes that it encodes, a quarter less.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from localcloud.store import Store

_TABLES = """
CREATE TABLE IF NOT EXISTS payloads (digest TEXT PRIMARY KEY, body) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payload_uses (
    arn TEXT, digest TEXT, PRIMARY KEY (arn, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payload_uses_by_digest ON payload_uses (digest);
"""
_LONG = 1024
_REFERENCE = re.compile(r"\x01([0-9a-f]{64})\x01")


class Payloads:
    """The long payloads of all executions.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run_script(_TABLES)

    def pack(self, arn: str, text: str) -> str:
        """Keep the long payloads of a row of an execution; call it in the row's transaction.

        Args:
            arn: Of the execution that uses them, until they are released.
            text: JSON.

        Returns:
            The text with references in their place.
        """
        if len(text) < _LONG:
            return text
        parts = text.split('"')  # much faster than a search for base64
        for number, part in enumerate(parts):
            if len(part) >= _LONG:
                long = part.rstrip("\\")  # of the quote, where JSON is a string within JSON
                parts[number] = self._store_payload(arn, long) + part[len(long) :]
        return '"'.join(parts)

    def unpack(self, text: str) -> str:
        """Return a text as it was packed.

        Raises:
            WorkflowError: ``CloudCorrupt`` where a payload is missing.
        """
        return _REFERENCE.sub(lambda found: self._load_payload(found[1]), text)

    def release(self, arns: Sequence[str]) -> None:
        """Forget what only these executions use; call it in the transaction that deletes them."""
        for arn in arns:
            rows = self._store.execute("SELECT digest FROM payload_uses WHERE arn = ?", (arn,))
            self._store.execute("DELETE FROM payload_uses WHERE arn = ?", (arn,))
            for (digest,) in rows:
                self._store.execute(
                    "DELETE FROM payloads WHERE digest = ? "
                    "AND NOT EXISTS (SELECT 1 FROM payload_uses WHERE digest = ?)",
                    (digest, digest),
                )

    def _store_payload(self, arn: str, long: str) -> str:
        digest, body = _digest_and_body(long)
        self._store.execute("INSERT OR IGNORE INTO payloads VALUES (?, ?)", (digest, body))
        self._store.execute("INSERT OR IGNORE INTO payload_uses VALUES (?, ?)", (arn, digest))
        return f"\x01{digest}\x01"

    def _load_payload(self, digest: str) -> str:
        rows = self._store.execute("SELECT body FROM payloads WHERE digest = ?", (digest,))
        if not rows:
            raise self._store.corrupt_error(self._store.path, f"payload {digest} is missing")
        ((body,),) = rows
        return body if isinstance(body, str) else base64.b64encode(body).decode()


@lru_cache(maxsize=64)  # one photo stands in each event of its execution
def _digest_and_body(long: str) -> tuple[str, bytes | str]:
    """Return the digest of a text, and the bytes that it encodes; itself where it encodes none."""
    digest = hashlib.sha256(long.encode()).hexdigest()
    try:
        body = base64.b64decode(long, validate=True)
    except binascii.Error:
        return digest, long
    # b64decode takes several spellings of the same bytes; only the one that encoding gives is
    # restored exactly.
    return digest, body if base64.b64encode(body).decode() == long else long
