"""Definitions and executions from eight threads at once: nothing is poisoned, nothing hangs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.definitions import DEFINITIONS, EXECUTIONS, THREADS, create_all, run_all
from tests.nightly import often

pytestmark = pytest.mark.cloud


def test_good_and_bad_definitions_at_once_leave_no_execution_running_or_empty(local_cloud):
    states = local_cloud.client("stepfunctions")
    count = often(EXECUTIONS, 80)
    with ThreadPoolExecutor(THREADS) as pool:
        arns, wrong = create_all(states, pool, often(DEFINITIONS, 8))
        endings = run_all(states, pool, arns, count)
        list(pool.map(lambda arn: states.delete_state_machine(stateMachineArn=arn), arns))
    assert wrong == {}
    assert set(endings) == {"SUCCEEDED", "FAILED"}
    assert endings.total() == count
