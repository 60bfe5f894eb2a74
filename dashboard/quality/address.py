"""The parameters in the address of the Quality page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityAddress:
    """Every parameter of the page; each is bound to a control.

    Attributes:
        view: The view that is shown.
        width: Wanted width of the interval, in percentage points.
        wanted: Wanted accuracy of the accepted, in percent.
        by: By what accuracy is told apart.
    """

    view: str = ""
    width: int = 0
    wanted: float = 0.0
    by: str = ""
