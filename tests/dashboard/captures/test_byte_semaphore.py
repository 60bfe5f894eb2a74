"""A semaphore of bytes, shared by threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

from dashboard.captures.byte_semaphore import ByteSemaphore

SECONDS = 60


def taken(room: ByteSemaphore, size: int) -> threading.Event:
    """Set once a thread has taken so much."""
    done = threading.Event()

    def take() -> None:
        room.take(size)
        done.set()

    threading.Thread(target=take, daemon=True).start()
    return done


def test_what_does_not_fit_waits_until_enough_is_given_back() -> None:
    room = ByteSemaphore(10)
    room.take(6)
    waiting = taken(room, 5)
    assert not waiting.wait(0.05)
    room.free(6)
    assert waiting.wait(SECONDS)


def test_what_is_larger_than_the_room_goes_in_alone() -> None:
    room = ByteSemaphore(10)
    room.take(1)
    waiting = taken(room, 100)
    assert not waiting.wait(0.05)
    room.free(1)
    assert waiting.wait(SECONDS)
    assert not taken(room, 1).wait(0.05)


def test_nobody_waits_once_it_is_open() -> None:
    room = ByteSemaphore(1)
    room.take(1)
    waiting = taken(room, 1)
    room.open()
    assert waiting.wait(SECONDS)
    room.take(5)


def test_there_is_never_more_than_the_room_holds() -> None:
    room, inside, most = ByteSemaphore(7), [0], [0]
    lock = threading.Lock()

    def visit(size: int) -> None:
        room.take(size)
        with lock:
            inside[0] += size
            most[0] = max(most[0], inside[0])
        with lock:
            inside[0] -= size
        room.free(size)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(visit, [1, 2, 3, 4] * 100))
    assert 0 < most[0] <= 7
