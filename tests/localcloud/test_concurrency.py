"""How many invocations may run at once: the account's limit, and what is reserved."""

import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.concurrency import Concurrency, Throttled
from localcloud.errors import AwsError


def refusal(concurrency, name, **options):
    with pytest.raises(Throttled) as caught, concurrency.hold_slot(name, **options):
        pass
    return caught.value


def test_what_is_above_the_limit_of_the_account_is_throttled():
    concurrency = Concurrency(2)
    with concurrency.hold_slot("a"), concurrency.hold_slot("b"):
        error = refusal(concurrency, "c")
    assert error.members == {"Reason": "ConcurrentInvocationLimitExceeded", "Type": "User"}
    assert (error.message, error.status) == ("Rate Exceeded.", 429)
    with concurrency.hold_slot("c"):
        pass


def test_a_reservation_is_a_limit_and_nobody_elses():
    concurrency = Concurrency(102)
    concurrency.reserve("a", 2)
    assert concurrency.unreserved == 100
    with ExitStack() as running:
        for name in ["b"] * 100 + ["a"] * 2:
            running.enter_context(concurrency.hold_slot(name))
        account = refusal(concurrency, "b").members["Reason"]
        own = refusal(concurrency, "a").members["Reason"]
    assert account == "ConcurrentInvocationLimitExceeded"
    assert own == "ReservedFunctionConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize(("limit", "most"), [(1000, 900), (10, 0)])
def test_some_is_always_left_to_functions_without_a_reservation(limit, most):
    concurrency = Concurrency(limit)
    with pytest.raises(AwsError, match=rf"below its minimum value of \[{limit - most}\]"):
        concurrency.reserve("a", most + 1)
    concurrency.reserve("a", most)


def test_a_queued_invocation_waits_for_its_turn():
    concurrency = Concurrency(1)
    done = threading.Event()

    def wait():
        with concurrency.hold_slot("a", patient=True):
            done.set()

    with concurrency.hold_slot("a"):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not done.is_set()
    thread.join(30)
    assert done.is_set()


def test_a_queued_invocation_does_not_wait_for_what_never_comes():
    concurrency = Concurrency(1000)
    concurrency.reserve("a", 0)
    assert refusal(concurrency, "a", patient=True).code == "TooManyRequestsException"


@given(st.integers(0, 900), st.integers(0, 900))
def test_reserving_again_replaces_the_reservation(first, second):
    concurrency = Concurrency(1000)
    concurrency.reserve("a", first)
    concurrency.reserve("a", second)
    assert concurrency.unreserved == 1000 - second
    concurrency.release("a")
    assert concurrency.unreserved == 1000
