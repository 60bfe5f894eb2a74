"""Command line: ``python -m dashboard.batch`` starts, lists, pauses and goes on with batches.

Exits 1 where something cannot be done, with the reason on stderr. What it does is in the audit.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from dashboard.aws.cloud import Connection
from dashboard.batch import client, model
from dashboard.shared.command_line import run_command, run_recorded
from workflow import batches
from workflow.access import Privilege
from workflow.batches import BatchOptions
from workflow.errors import WorkflowError

_USUAL = BatchOptions()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    Args:
        arguments: Of the command line, those of the process by default.
    """
    return run_command(_build_parser(), arguments)


def _start_batch(connection: Connection, options: argparse.Namespace) -> None:
    source = batches.read_source(options.source)
    how = BatchOptions(
        batch_size=options.size, concurrency=options.at_once, tolerated_percent=options.tolerate
    )
    counted, seconds = client.count_source(connection, source), client.photo_seconds(connection)
    found = batches.estimate(counted, how, photo_seconds=seconds, region=connection.settings.region)
    print(f"{model.estimate_says(found)}: {found.says}")
    if not options.yes and input("Start it? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise WorkflowError("NotConfirmed", "Nothing was started.", "Answer y, or pass --yes.")
    name = options.name or client.new_name()
    try:
        run_recorded(
            connection,
            Privilege.BATCH,
            f"start {source} as {name}",
            lambda: client.start_batch(connection, source, how, name),
        )
    except WorkflowError as error:
        # It may have begun although AWS's answer was lost.
        again = f"{error.remedy} Repeat the command with --name {name}, which starts it once."
        raise WorkflowError(error.code, error.message, again) from error
    print(f"Started {name}.")


def _list_batches(connection: Connection, _: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    for one in client.list_latest(connection):
        says = model.progress_says(one.progress, one.status, now)
        print(f"{one.name}  {one.status.lower()}  {one.source}\n    {says} {one.error}".rstrip())


def _steer_batch(connection: Connection, options: argparse.Namespace) -> None:
    """Pause a batch, or go on with it."""
    arn = client.execution_arn(connection, options.name)
    run_recorded(
        connection,
        Privilege.BATCH,
        f"{options.verb} {options.name}",
        lambda: options.steer(connection, arn),
    )


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard.batch", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="estimate and start a batch")
    start.add_argument("source", help="s3:// address of a prefix, a manifest or an inventory")
    for option, usual, told in (
        ("--size", _USUAL.batch_size, "photos of one child execution"),
        ("--at-once", _USUAL.concurrency, "child executions at once"),
        ("--tolerate", _USUAL.tolerated_percent, "failures, in percent"),
    ):
        start.add_argument(option, type=type(usual), default=usual, help=told)
    start.add_argument("--name", help="of the batch; the same one is started once")
    start.add_argument("--yes", action="store_true", help="do not ask")
    start.set_defaults(command=_start_batch)
    commands.add_parser("list", help="show the latest batches").set_defaults(command=_list_batches)
    for verb, steer, told in (
        ("pause", client.pause_batch, "stop a batch; what has succeeded stays"),
        ("resume", client.resume_batch, "redrive a batch that was paused or failed"),
    ):
        one = commands.add_parser(verb, help=told)
        one.add_argument("name", help="of the batch")
        one.set_defaults(command=_steer_batch, verb=verb, steer=steer)
    return parser


if __name__ == "__main__":
    sys.exit(main())
