"""Prices: what a plan costs a month, by a small table with a date. Pure.

The table holds what was looked up. Nothing is reckoned from it for other regions or types: what it
does not have is unknown. Source: AWS's list prices without discounts, free tier and taxes, at
<https://aws.amazon.com/sagemaker/ai/pricing/> and <https://aws.amazon.com/cloudwatch/pricing/>.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.resources import Alarm, CloudResource, EndpointConfig, Json, TrainingJob

_PRICE = "Price a month on AWS"
AS_OF = "November 2026"
SOURCE = "https://aws.amazon.com/sagemaker/ai/pricing/"
HOURS_A_MONTH = 730

INSTANCE_HOUR: Mapping[str, Mapping[str, float]] = {
    "us-east-1": {
        "ml.m5.large": 0.115,
        "ml.m5.xlarge": 0.23,
        "ml.m5.2xlarge": 0.461,
        "ml.m5.4xlarge": 0.922,
        "ml.c5.xlarge": 0.204,
        "ml.g4dn.xlarge": 0.736,
        "ml.p3.2xlarge": 3.825,
    },
}
"""USD an hour of an instance that serves or trains, by region and type."""

ALARM_MONTH: Mapping[str, float] = {"us-east-1": 0.10}
"""USD a month of a standard alarm, by region."""

NOT_INCLUDED = "Not included: executions, captures, logs, mails, and the second fleet of an update."


@dataclass(frozen=True, slots=True)
class Price:
    """What a plan costs.

    Attributes:
        monthly_usd: USD a month while nothing runs; None where a part of it is unknown.
        says: The same for people, with what it is made of and what it leaves out.
    """

    monthly_usd: float | None
    says: str

    def to_json(self) -> dict[str, Json]:
        """Return the price as JSON."""
        return {"monthly_usd": self.monthly_usd, "says": self.says}


def price_of(resources: Sequence[CloudResource], region: str) -> Price:
    """Return what resources cost a month in a region while nothing runs."""
    parts = [_instance_price(one, region) for one in resources if isinstance(one, EndpointConfig)]
    alarms = [one for one in resources if isinstance(one, Alarm)]
    if alarms:
        # CloudWatch bills an alarm by the metrics it watches, not by the alarm.
        each, metrics = ALARM_MONTH.get(region), sum(len(one.metrics) for one in alarms)
        name = f"{len(alarms)} alarms on {metrics} metrics"
        parts.append((name, None if each is None else metrics * each))
    training = [training_price(one, region) for one in resources if isinstance(one, TrainingJob)]
    unknown = [name for name, usd in parts if usd is None]
    known = {name: usd for name, usd in parts if usd is not None}
    listed = ", ".join(f"{name} {usd:.2f}" for name, usd in known.items())
    if unknown:
        has = f" Known: {listed} USD." if listed else ""
        says = f"{_PRICE}: unknown for {', '.join(unknown)} in {region}; see {SOURCE}.{has}"
        return Price(None, " ".join((says, *training, NOT_INCLUDED)))
    total = round(sum(known.values()), 2)
    says = f"{_PRICE}: about {total:.2f} USD ({listed}; list prices of {AS_OF}, {SOURCE})."
    return Price(total, " ".join((says, *training, NOT_INCLUDED)))


def _instance_price(config: EndpointConfig, region: str) -> tuple[str, float | None]:
    hour = INSTANCE_HOUR.get(region, {}).get(config.instance_type)
    name = f"{config.instance_count} x {config.instance_type} around the clock"
    return name, None if hour is None else hour * HOURS_A_MONTH * config.instance_count


def training_price(job: TrainingJob, region: str) -> str:
    """Return what training costs, as a sentence."""
    hour = INSTANCE_HOUR.get(region, {}).get(job.instance_type)
    usd = "unknown" if hour is None else f"about {hour:.2f} USD"
    return f"Training once on {job.instance_type}: {usd} an hour, at most {job.max_seconds} s."


def trained_price(instance_type: str, seconds: float, region: str) -> str:
    """Return what a training job has cost that was billed for some seconds."""
    hour = INSTANCE_HOUR.get(region, {}).get(instance_type)
    usd = "an unknown price" if hour is None else f"about {hour * seconds / 3600:.2f} USD"
    return f"{usd} on {instance_type} at list prices of {AS_OF}"
