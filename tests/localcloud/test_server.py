"""The local cloud as a process: starts, answers, stops."""

import pytest

pytestmark = pytest.mark.cloud


def test_any_boto3_client_learns_the_account(local_cloud):
    assert local_cloud.client("sts").get_caller_identity()["Account"] == local_cloud.account
