"""How far one sync of captures has come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureProgress:
    """How far a pass has come.

    Attributes:
        listed: Keys looked at.
        found: Of these, new or changed.
        read: Of these, read and stored or about to be.
        bytes_read: Bytes of these.
        captures: Captures read.
        errors: Lines and objects that gave none.
        seconds: Time since the pass began.
        all_listed: Whether ``found`` is final.
    """

    listed: int = 0
    found: int = 0
    read: int = 0
    bytes_read: int = 0
    captures: int = 0
    errors: int = 0
    seconds: float = 0.0
    all_listed: bool = False

    @property
    def rate(self) -> float:
        """Objects read a second."""
        return self.read / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time the rest will take at this rate; None while it is not known."""
        return (self.found - self.read) / self.rate if self.all_listed and self.read else None
