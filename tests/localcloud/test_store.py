"""The store of the local cloud: memory holds what the database does."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.store import Store


@pytest.mark.parametrize("change", ["write", "delete"])
def test_nobody_else_writes_between_the_database_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    store = Store(tmp_path)
    table = store.load_table("kind")
    table["key"] = {}
    execute = store.execute
    free = []

    with ThreadPoolExecutor(1) as threads:

        def watched(statement: str, values: tuple[str, ...]) -> list[tuple[object, ...]]:
            rows = execute(statement, values)
            free.append(threads.submit(is_free, store).result())
            return rows

        monkeypatch.setattr(store, "execute", watched)
        if change == "write":
            table["key"] = {"changed": True}
        else:
            del table["key"]
    store.close()
    assert free == [False]


def test_records_are_those_of_one_moment_though_one_is_deleted_meanwhile(tmp_path: Path) -> None:
    store = Store(tmp_path)
    table = store.load_table("kind")
    table["a"], table["b"] = {"n": 1}, {"n": 2}
    pairs, records = iter(table.items()), iter(table.values())
    assert (next(pairs), next(records)) == (("a", {"n": 1}), {"n": 1})

    del table["b"]

    assert (list(pairs), list(records)) == ([("b", {"n": 2})], [{"n": 2}])
    store.close()


def is_free(store: Store) -> bool:
    taken = store.locked().acquire(blocking=False)
    if taken:
        store.locked().release()
    return taken
