"""The lister of captures: find what is new or changed below a prefix."""

import random
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from dashboard.aws.objects import PAGE, Bucket, ObjectMeta
from dashboard.shared.store import SegmentStore
from workflow.captures import CaptureSource

LATE: Final = timedelta(hours=2)
"""Files of an hour are delivered until so long after it, as far as was seen."""

_BLOCK: Final = 10_000


@dataclass(frozen=True, slots=True)
class UnreadObject:
    """An object to read.

    Attributes:
        meta: What the listing says of it.
        changed: Whether another version of it was read before, or it was refused.
        refused: Code and message of what it was refused with; None where it was not, or has
            changed since.
    """

    meta: ObjectMeta
    changed: bool
    refused: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class PlannedListing:
    """One listing to make: all keys below ``prefix`` that come after ``after``."""

    prefix: str
    after: str | None


def plan_listings(
    branches: Iterable[str], settled: Mapping[str, datetime], now: datetime
) -> list[PlannedListing]:
    """Decide what has to be listed to find everything that may be new.

    Args:
        branches: Folders that hold captures, such as ``data_capture/endpoint/variant``.
        settled: For each directory above the years, the hour up to which everything was read.
        now: Aware. An hour in the future (a wrong clock) counts as now.
    """
    listings = []
    for branch in branches:
        after = None
        for directory, hour in settled.items():
            if f"{branch}/".startswith(f"{directory}/"):
                # Keys hold the hour in order, so that StartAfter leaves out all hours before.
                after = f"{directory}/{min(hour, now) - LATE:%Y/%m/%d/%H}"
        listings.append(PlannedListing(branch, after))
    return listings


def settled_hours(keys: Iterable[str]) -> dict[str, datetime]:
    """Return the newest hour of each directory above the years, for keys in SageMaker's layout."""
    newest: dict[str, datetime] = {}
    for folder in {key.rpartition("/")[0] for key in keys}:
        hour = CaptureSource.of(f"{folder}/").hour
        if hour:
            directory = folder.rsplit("/", 4)[0]
            newest[directory] = max(hour, newest.get(directory, hour))
    return newest


class Lister:
    """Finds what is new or changed; one instance for each pass.

    Args:
        bucket: Where captures are.
        prefix: Their prefix, without its final slash.
        store: What was read before.
        full: Whether to list everything, and not only what is likely to be new.

    Attributes:
        full: Whether everything is listed.
        settled: For each directory above the years, the hour up to which everything was listed.
        listed: Keys looked at.
        found: Of these, new or changed.
        done: Whether ``found`` is final.
    """

    def __init__(self, bucket: Bucket, prefix: str, store: SegmentStore, *, full: bool) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._store = store
        self.settled = _read_settled(store)
        self.full = full or not self.settled
        self.listed = self.found = 0
        self.done = False
        self._refusals: dict[tuple[str, datetime], tuple[str, str]] | None = None
        self._refused_before: list[UnreadObject] = []

    def list_blocks(self, threads: Executor) -> Iterator[list[UnreadObject]]:
        """Yield what is new or changed, in blocks that grow, so that reading begins soon.

        What was refused before comes last, in no order: so that nothing waits behind it, and that
        in time each is asked for again, though a pass asks for few where all stay refused.

        Args:
            threads: Runs one listing while another is read.
        """
        block: list[ObjectMeta] = []
        limit = 1
        for page in self._list_pages(threads):
            block += page
            if len(block) >= limit:
                yield self._new_of(block)
                block, limit = [], min(max(2 * limit, PAGE), _BLOCK)
        yield self._new_of(block)
        # Shuffled and last, as said above: no object is always the first to be refused.
        random.shuffle(self._refused_before)
        yield self._refused_before
        self.done = True

    def _list_pages(self, threads: Executor) -> Iterator[list[ObjectMeta]]:
        """List everything that may be new, also in branches that were not there before."""
        if self.full:
            yield from self._bucket.objects(self._prefix)
            return
        likely = [directory for directory in self.settled if self._is_branch(directory)]
        # Beside the listing of known branches: to find new ones takes a request for each endpoint.
        looking = threads.submit(self._list_branches)
        yield from self._list_recent(likely)
        branches, strays = looking.result()
        yield strays
        yield from self._list_recent([branch for branch in branches if branch not in likely])

    def _is_branch(self, directory: str) -> bool:
        """Tell whether it lies where ``_branches`` would find it: two levels below the prefix."""
        return directory.rsplit("/", 2)[0] == self._prefix

    def _list_branches(self) -> tuple[list[str], list[ObjectMeta]]:
        """List the folders of all variants, and stray objects above them."""
        branches: list[str] = []
        endpoints, strays = self._bucket.children(self._prefix)
        for endpoint in endpoints:
            variants, objects = self._bucket.children(endpoint)
            branches += variants
            strays += objects
        return branches, strays

    def _list_recent(self, branches: Iterable[str]) -> Iterator[list[ObjectMeta]]:
        for listing in plan_listings(branches, dict(self.settled), datetime.now(UTC)):
            yield from self._bucket.objects(listing.prefix, listing.after)

    def _new_of(self, block: list[ObjectMeta]) -> list[UnreadObject]:
        """Return what is new or changed in a block; put aside what was refused before."""
        if not block:
            return []
        keys = [meta.key for meta in block]
        hours = settled_hours(meta.key for meta in block if meta.readable)
        for directory, hour in hours.items():
            self.settled[directory] = max(hour, self.settled.get(directory, hour))
        # Keys come in order, so that one range of the store holds all that a block may repeat.
        in_range = pl.col("key").is_between(pl.lit(min(keys)), pl.lit(max(keys)))
        seen = self._store.scan("objects").filter(in_range)
        known = dict(seen.select("key", "etag").collect().iter_rows())
        unread = [
            UnreadObject(meta, meta.key in known, self._find_refusal(meta, known.get(meta.key)))
            for meta in block
            if known.get(meta.key) != meta.etag
        ]
        self._refused_before += [one for one in unread if one.refused]
        self.listed += len(block)
        self.found += len(unread)
        return [one for one in unread if not one.refused]

    def _find_refusal(self, meta: ObjectMeta, known: str | None) -> tuple[str, str] | None:
        """Return what an unchanged object was refused with; ``known`` is its stored ETag."""
        if known != "":
            return None
        if self._refusals is None:
            self._refusals = _read_refusals(self._store)
        return self._refusals.get((meta.key, meta.last_modified))


def _read_refusals(store: SegmentStore) -> dict[tuple[str, datetime], tuple[str, str]]:
    """Return code and message of each refusal, by key and time of last change."""
    refused = store.scan("objects").filter(etag="").select("key", "last_modified")
    errors = store.scan("errors").filter(line=0).join(refused, on="key", how="inner")
    found = errors.select("key", "last_modified", "reason", "detail").collect()
    return {(key, changed): (code, said) for key, changed, code, said in found.iter_rows()}


def _read_settled(store: SegmentStore) -> dict[str, datetime]:
    """Return the hour up to which everything was read, by directory, as the last pass found."""
    last = store.scan("passes").select("directories", "settled").last().collect()
    return {
        directory: hour
        for directories, hours in last.iter_rows()
        for directory, hour in zip(directories, hours, strict=True)
    }
