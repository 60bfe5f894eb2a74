"""Statistics: what CloudWatch makes of the values of one period."""

from collections.abc import Callable, Sequence

from localcloud.errors import AwsError


def compute_statistic(name: str, values: Sequence[float]) -> float:
    """Return a statistic of the values of one period.

    Raises:
        AwsError: ``InvalidParameterValue`` for a statistic that is not known.
    """
    plain: dict[str, Callable[[], float]] = {
        "SampleCount": lambda: float(len(values)),
        "Sum": lambda: sum(values),
        "Average": lambda: sum(values) / len(values),
        "Minimum": lambda: min(values),
        "Maximum": lambda: max(values),
    }
    if name in plain:
        return plain[name]()
    if name.startswith("p") and name[1:].replace(".", "", 1).isdigit():
        ordered = sorted(values)
        # Linear interpolation between the two nearest values.
        rank = float(name[1:]) / 100 * (len(ordered) - 1)
        low = int(rank)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
    raise AwsError("InvalidParameterValue", f"{name} is no statistic that the local cloud knows.")
