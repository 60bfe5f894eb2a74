"""The parameters in the address of the Review page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAddress:
    """Every parameter of the page; each is bound to a control.

    Attributes:
        view: The view that is shown.
        draw: Id of the draw.
        reviewer: Who reviews, where nobody is logged in.
    """

    view: str = ""
    draw: str = ""
    reviewer: str = ""
