"""Delivery: when captured records reach their bucket, and in which files."""

import random
import threading
from typing import Final

from localcloud.aws_like.account import Account

_AT_ONCE: Final = 100
_IN_A_FILE: Final = (1, 30)
_TWICE, _NO_NEWLINE, _BLANK_LINE = 0.05, 0.2, 0.1


class Delivery:
    """Records in files of one each batch, after a fixed wait.

    Args:
        seconds: The shortest and the longest wait of a batch.
        most: How many records wait at most.

    Attributes:
        most: The same.
    """

    def __init__(self, seconds: tuple[float, float], most: int = _AT_ONCE) -> None:
        self._seconds = seconds
        self.most = most

    def draw_wait(self) -> float:
        """Return the seconds that a batch waits."""
        return self._seconds[0]

    def split_files(self, records: list[int]) -> list[list[int]]:
        """Return which records of a batch share a file."""
        return [records]

    def build_body(self, lines: list[bytes]) -> bytes:
        """Return a file of some lines, each of which ends in a newline."""
        return b"".join(lines)


class OddDelivery(Delivery):
    """Late, in files of any size: some records twice, some files with odd ends, as seen of AWS.

    Args:
        seconds: The shortest and the longest wait of a batch.
        chance: Random numbers.
    """

    def __init__(self, seconds: tuple[float, float], chance: random.Random) -> None:
        super().__init__(seconds, most=1 << 20)
        self._random = chance
        self._lock = threading.Lock()

    def draw_wait(self) -> float:
        """Return the seconds that a batch waits."""
        with self._lock:
            return self._random.uniform(*self._seconds)

    def split_files(self, records: list[int]) -> list[list[int]]:
        """Return which records of a batch share a file: 1 to 30."""
        left, found = list(records), list[list[int]]()
        with self._lock:
            while left:
                size = self._random.randint(*_IN_A_FILE)
                found.append(left[:size])
                del left[:size]
        return found

    def build_body(self, lines: list[bytes]) -> bytes:
        """Return a file of some lines, perhaps with one twice, a blank one, or no last newline."""
        with self._lock:
            twice, blank, bare = (self._random.random() for _ in range(3))
            again = self._random.choice(lines)
        written = [*lines, *([again] if twice < _TWICE else [])]
        body = b"".join(written) + (b"\n" if blank < _BLANK_LINE else b"")
        return body.removesuffix(b"\n") if bare < _NO_NEWLINE else body


def delivery_of(account: Account) -> Delivery:
    """Return how an account's captured records are delivered."""
    seconds = account.durations.capture
    if account.aws_like is None:
        return Delivery(seconds)
    return OddDelivery(seconds, account.aws_like.random_for("captures"))
