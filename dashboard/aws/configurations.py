"""The edge to endpoint configurations: those an endpoint may have had, and what they capture."""

import re
from datetime import datetime
from typing import Final

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.configurations import Configurations

_LISTED: Final = 50


def read_configurations(cloud: Connection, endpoint: str) -> Configurations:
    """Read the endpoint's present configuration, and earlier ones of our names that still exist.

    Raises:
        WorkflowError: Under AWS's code where there is no such endpoint or no permission.
    """
    with explained("sagemaker:DescribeEndpoint", endpoint):
        described = cloud.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    present = described["EndpointConfigName"]
    prefix = cloud.watched.resource_prefix
    own = re.compile(rf"{re.escape(prefix)}-[0-9a-f]{{12}}")
    return Configurations(
        present=present,
        created=described["CreationTime"],
        changed=described["LastModifiedTime"],
        # Which others an endpoint had that somebody else made, no name tells.
        made=_list_created(cloud, prefix, own) if prefix and own.fullmatch(present) else {},
    )


def _list_created(cloud: Connection, prefix: str, own: re.Pattern[str]) -> dict[str, datetime]:
    with explained("sagemaker:ListEndpointConfigs", prefix):
        listed = cloud.client("sagemaker").list_endpoint_configs(
            NameContains=prefix,
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=_LISTED,
        )
    return {
        one["EndpointConfigName"]: one["CreationTime"]
        for one in listed["EndpointConfigs"]
        if own.fullmatch(one["EndpointConfigName"])
    }


def sampling_percentage(cloud: Connection, name: str) -> float:
    """Return which share of invocations a configuration captures, 0 to 100; it never changes.

    Raises:
        WorkflowError: Under AWS's code where there is no such configuration or no permission.
    """
    with explained("sagemaker:DescribeEndpointConfig", name):
        described = cloud.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    capture = described.get("DataCaptureConfig")
    # The flag is optional in the API; a configuration that leaves it out captures.
    if not capture or not capture.get("EnableCapture", True):
        return 0.0
    return float(capture["InitialSamplingPercentage"])
