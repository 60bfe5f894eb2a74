"""Command line: ``python -m dashboard.rollout`` shows, starts, promotes and ends rollouts.

Exits 1 where something cannot be done, with the reason on stderr. What it does is in the audit.
"""

import argparse
import sys
from collections.abc import Sequence

from dashboard.aws.cloud import Connection
from dashboard.rollout import client
from dashboard.shared.command_line import run_command, run_recorded
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.percentages import parse_percentage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    Args:
        arguments: Of the command line, those of the process by default.
    """
    return run_command(_build_parser(), arguments)


def _print_status(connection: Connection, _: argparse.Namespace) -> None:
    found = client.describe_endpoint(connection)
    print(f"{found.name} is {found.status}. {found.failure}".rstrip())
    for one in found.variants:
        print(f"  {one.name}: {one.model}, {one.weight:.0%} of the traffic")
    if found.shadow:
        shadow = found.shadow
        print(f"  {shadow.name}: {shadow.model}, shadow with a copy of {shadow.weight:.0%}")
    for name in client.list_candidates(connection, found):
        print(f"  not served: {name}")


def _start_rollout(connection: Connection, options: argparse.Namespace) -> None:
    found, percent, shadow = client.describe_endpoint(connection), options.percent, options.shadow
    if options.model not in client.list_candidates(connection, found):
        raise WorkflowError(
            "ModelNotFound",
            f"{options.model} is no model of this deployment that could be rolled out.",
            "`python -m dashboard.rollout status` lists them.",
        )
    how = f"with a copy of {percent} %" if shadow else f"with {percent} %"
    run_recorded(
        connection,
        Privilege.ROLLOUT,
        f"starting the rollout of {options.model} {how} of the traffic",
        lambda: client.start_rollout(
            connection, found, options.model, percent / 100, client.new_token(), shadow=shadow
        ),
    )
    print(f"Started the rollout of {options.model}; the Rollout page compares the models.")


def _promote_model(connection: Connection, _: argparse.Namespace) -> None:
    _end_rollout(connection, promote=True)


def _stop_rollout(connection: Connection, _: argparse.Namespace) -> None:
    _end_rollout(connection, promote=False)


def _end_rollout(connection: Connection, *, promote: bool) -> None:
    found = client.describe_endpoint(connection)

    def work() -> None:
        if found.shadow:
            client.end_shadow(connection, found, client.new_token(), promote=promote)
        else:
            client.give_share(connection, found, float(promote))

    title = "promoting the new model" if promote else "rolling back"
    run_recorded(connection, Privilege.ROLLOUT, title, work)
    print(f"Done: {title}.")


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard.rollout", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="show what is served, and what could be")
    status.set_defaults(command=_print_status)
    start = commands.add_parser("start", help="serve a model beside the one in use")
    start.add_argument("model", help="its name")
    start.add_argument(
        "--percent", type=parse_percentage, default=10, help="of the traffic that it gets (10)"
    )
    start.add_argument(
        "--shadow", action="store_true", help="give it copies; nobody sees what it answers"
    )
    start.set_defaults(command=_start_rollout)
    promote = commands.add_parser("promote", help="give the new model all traffic")
    promote.set_defaults(command=_promote_model)
    stop = commands.add_parser("stop", help="roll back, or stop the shadow")
    stop.set_defaults(command=_stop_rollout)
    return parser


if __name__ == "__main__":
    sys.exit(main())
