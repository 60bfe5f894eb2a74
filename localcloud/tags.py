"""Tags: of the records of a table, and in the two forms that AWS gives and takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from localcloud.store import Table
    from localcloud.wire import Params


class Tagged:
    """The tags of one table's records: each record keeps its own under ``tags``.

    Args:
        table: Its records.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def get_tags(self, key: str) -> Params:
        """Return the tags of a record."""
        return dict(self._table[key]["tags"])

    def add_tags(self, key: str, tags: Mapping[str, str]) -> Params:
        """Add or replace tags; return AWS's empty answer."""
        record = self._table[key]
        self._table[key] = {**record, "tags": {**record["tags"], **tags}}
        return {}

    def remove_tags(self, key: str, names: Collection[str]) -> Params:
        """Remove the tags of these names, as far as there are any; likewise."""
        record = self._table[key]
        kept = {name: value for name, value in record["tags"].items() if name not in names}
        self._table[key] = {**record, "tags": kept}
        return {}


def tag_map(tags: Sequence[dict[str, str]], key: str = "Key", value: str = "Value") -> Params:
    """Return AWS's list of tags as a dictionary."""
    return {tag[key]: tag[value] for tag in tags}


def tag_list(tags: dict[str, Any], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Return a dictionary as AWS's list of tags."""
    return [{key: k, value: v} for k, v in tags.items()]
