"""The parameters in the address of the Inferences page."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InferencesAddress:
    """Every parameter of the page. Most are bound to a control, which offers what may be chosen.

    Attributes:
        endpoint: As ``InferenceFilters`` has them, and so the next two.
        until: The last day, in the zone that is picked; the time range counts back from its end.
        view: The view that is shown.
        log: Whether the histogram counts on a logarithmic axis.
        bars: The bars that are selected, as ``Selection.format_text`` writes them.
        images: Confidence from and to, of the images shown.
        try_: The threshold to try.
        moment: What parts before from after.
        at: The moment itself, where it is one's own.
        baseline: With what to compare.
        baseline_from: Begin of a baseline of one's own.
        baseline_to: Its end.
        baseline_version: The version that is the baseline.
        against: The version compared with it.
        measure: Whether images are measured.
        monitor: Folder of a Model Monitor baseline.
    """

    endpoint: str = ""
    variant: str = ""
    label: str = ""
    until: date | None = None
    view: str = ""
    log: bool = False
    bars: str = ""
    images: tuple[str, ...] = ()
    try_: float | None = None
    moment: str = ""
    at: datetime | None = None
    baseline: str = ""
    baseline_from: datetime | None = None
    baseline_to: datetime | None = None
    baseline_version: str = ""
    against: str = ""
    measure: bool = False
    monitor: str = ""
