"""The command line of deploy: one function for each of its commands.

Exit codes: 0 done or nothing to do, 1 failed, 2 changes are pending (``plan``), 130 interrupted.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deploy import deployment, train
from deploy.apply import Applied, Failed, Started, StepProgress
from deploy.check import PreflightFinding, PreflightLevel
from deploy.options import Parser, read_environment, shared_options
from deploy.plan import Action, Diff, Op, Plan, keep_endpoint
from deploy.providers.audit import AuditTrail
from deploy.providers.session import Session, cloud_url
from deploy.resources import EndpointConfig
from deploy.user_policies import User, user_policy
from workflow.access import Privilege
from workflow.data_directory import records_folder
from workflow.errors import WorkflowError
from workflow.percentages import parse_percentage
from workflow.settings import Settings
from workflow.thresholds import VARIABLE, of_plan
from workflow.watched import of_deployment

SYMBOLS = {
    Op.CREATE: "+",
    Op.UPDATE: "~",
    Op.REPLACE: "±",
    Op.DELETE: "-",
    Op.KEEP: "=",
    Op.BLOCKED: "!",
}
OUTCOMES = {
    Op.CREATE: "created",
    Op.UPDATE: "updated",
    Op.REPLACE: "replaced",
    Op.DELETE: "deleted",
    Op.KEEP: "up to date",
}
WIDTH = 120
"""Longest value of a property that is shown whole."""

DONE, FAILED, PENDING, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True)
class Context:
    """What every command works with.

    Attributes:
        options: Of the command line.
        settings: Of the environment and the options.
        session: Where.
        explicit: Whether a threshold was asked for.
    """

    options: argparse.Namespace
    settings: Settings
    session: Session
    explicit: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Command-line arguments, those of the process by default.

    Returns:
        The exit code.
    """
    options = _build_parser().parse_args(arguments)
    try:
        given = read_environment(options)
        settings, session = deployment.connect(given, region=options.region)
        command: Callable[[Context], int] = options.command
        return command(Context(options, settings, session, bool(given.get(VARIABLE))))
    except WorkflowError as error:
        _print_error(error)
        return FAILED
    except KeyboardInterrupt:
        print("\nInterrupted. What is done stays done; the same command goes on from there.")
        return INTERRUPTED


def _run_plan(context: Context) -> int:
    plan, threshold = _make_plan(context)
    if context.options.json:
        print(json.dumps(plan.to_json(), indent=2))
    else:
        _print_plan(plan, context, threshold)
    # As `terraform plan -detailed-exitcode`, so that a pipeline can tell changes from errors.
    return FAILED if plan.blocked else PENDING if plan.changes else DONE


def _run_check(context: Context) -> int:
    found = deployment.check(context.settings, context.session)
    if context.options.json:
        print(json.dumps([finding.to_json() for finding in found], indent=2))
    else:
        print(_describe_target(context))
        _print_findings(found)
    return FAILED if found[0].level is PreflightLevel.PROBLEM else DONE


def _print_findings(found: Sequence[PreflightFinding]) -> None:
    for finding in found:
        print(f"  {finding.level.value:<8}{finding.topic}: {finding.says}")
        if finding.remedy:
            print(f"          {finding.remedy}")


def _run_apply(context: Context) -> int:
    found = deployment.check(context.settings, context.session)
    _print_findings([finding for finding in found if finding.level is not PreflightLevel.OK])
    if found[0].level is PreflightLevel.PROBLEM:
        raise WorkflowError("CheckFailed", f"Nothing was changed: {found[0].says}", found[0].remedy)
    plan, threshold = _make_plan(context, weight=context.options.canary)
    if context.options.keep_endpoint:
        plan = keep_endpoint(plan)
    privilege = Privilege.THRESHOLD if plan.sets_threshold else Privilege.DEPLOY
    return _carry_out(plan, context, privilege, threshold)


def _make_plan(context: Context, *, weight: int = 100) -> tuple[Plan, str]:
    """Return the plan, and what it makes of the threshold that is deployed."""
    settings, session = context.settings, context.session
    now = deployment.deployed_threshold(settings, session, explicit=context.explicit)
    # Without a wish the deployed threshold stays: the dashboard may have changed it since.
    settings = replace(settings, threshold=now.wanted)
    plan = deployment.observe_and_plan(settings, session, weight=weight)
    return plan, of_plan(now, now.wanted)


def _run_export(context: Context) -> int:
    """Print the template; what is left to be done goes to stderr, out of the template's way."""
    template, artifacts = deployment.export(context.settings)
    print(json.dumps(template, indent=2))
    folder = Path(context.options.artifacts) if context.options.artifacts else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in artifacts.items():
            (folder / name).write_bytes(body)
    where = f"are in {folder}" if folder else "are written by --artifacts FOLDER"
    print(
        f"Left to do: upload {', '.join(artifacts)} ({where}) under one prefix of a bucket in"
        f" {context.settings.region}, give both as the parameters ArtifactBucket and"
        " ArtifactPrefix, and deploy with CAPABILITY_NAMED_IAM.",
        file=sys.stderr,
    )
    return DONE


def _run_policy(context: Context) -> int:
    print(json.dumps(user_policy(User(context.options.user), context.settings), indent=2))
    return DONE


def _run_rollback(context: Context) -> int:
    plan = deployment.plan_rollback(context.settings, context.session)
    return _carry_out(plan, context, Privilege.ROLLBACK)


def _run_batch(context: Context) -> int:
    plan = deployment.plan_batch(context.settings, context.session)
    return _carry_out(plan, context, Privilege.DEPLOY)


def _run_train(context: Context) -> int:
    carry_out = partial(_carry_out, context=context, privilege=Privilege.DEPLOY)
    return train.run_command(context.options, context.settings, context.session, carry_out)


def _run_destroy(context: Context) -> int:
    empty_bucket = context.options.empty_bucket
    plan = deployment.plan_destroy(context.settings, context.session, empty_bucket=empty_bucket)
    _print_plan(plan, context)
    if not plan.changes:
        return DONE
    name = context.settings.prefix
    given = context.options.confirm or _ask_question(f"Type {name} to delete all of the above: ")
    if given != name:
        raise WorkflowError(
            "NotConfirmed",
            f"Nothing was deleted: {given!r} is not {name}.",
            f"Type the name of the deployment, or give --confirm {name}.",
        )
    return _apply_recorded(plan, context, Privilege.DESTROY)


def _run_status(context: Context) -> int:
    outputs = deployment.read_status(context.settings, context.session)
    if context.options.json:
        print(json.dumps(outputs.to_json(), indent=2))
        return DONE
    print(_describe_target(context))
    print(f"  bucket      {outputs.bucket or 'none'}")
    print(f"  alias       {outputs.alias_arn or 'none'}")
    print(f"  endpoint    {outputs.endpoint} ({outputs.endpoint_status or 'none'})")
    print(f"  queue       {outputs.queue_url or 'none'}")
    for one in outputs.versions:
        print(f"  version {one.number:<3} {one.created:%Y-%m-%d %H:%M} {one.weight:>4} %")
    for title, link in outputs.links.items():
        print(f"  {title}: {link}")
    return DONE


def _carry_out(plan: Plan, context: Context, privilege: Privilege, threshold: str = "") -> int:
    _print_plan(plan, context, threshold)
    if plan.changes and not plan.blocked and not context.options.yes:
        answer = _ask_question(f"Apply this plan{_at_price(plan)}? [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            raise WorkflowError("NotConfirmed", "Nothing was changed.", "Answer y, or pass --yes.")
    if not plan.changes and not plan.blocked:
        return DONE
    return _apply_recorded(plan, context, privilege)


def _apply_recorded(plan: Plan, context: Context, privilege: Privilege) -> int:
    """Apply a plan, report it, and write both to the audit."""
    settings, session = context.settings, context.session
    name = of_deployment(settings).store_name
    folder = records_folder("audit", settings.account, settings.region, name)
    trail = AuditTrail(
        session, settings, deployment.store() / folder, now=lambda: datetime.now(UTC)
    )
    with trail.recorded(privilege, plan.request) as result:
        failed = _print_events(deployment.apply(plan, settings, session))
        if failed:
            result.text = f"{failed.code}: {failed.message}"
    return FAILED if failed else DONE


def _at_price(plan: Plan) -> str:
    """Return what a month costs, for the question: nobody should pay before they have read it."""
    if plan.price is None:
        return ""
    usd = plan.price.monthly_usd
    cost = "an unknown price" if usd is None else f"about {usd:.2f} USD"
    return f" at {cost} a month on AWS"


def _print_events(events: Iterator[deployment.Event]) -> WorkflowError | None:
    """Print each event; return what ended the run early, if anything did."""
    heading = ""
    for event in events:
        match event:
            case Started(action, index, total):
                heading = f"[{index}/{total}] {_action_title(action)}"
            case StepProgress(_, message):
                print(f"{heading}: {message}", flush=True)
            case Applied(_, op, message):
                print(f"{heading}: {message or OUTCOMES[op]}", flush=True)
            case Failed(_, error):
                _print_error(error)
                return error
    return None


def _print_plan(plan: Plan, context: Context, threshold: str = "") -> None:
    print("\n".join(filter(None, (_describe_target(context), threshold))))
    kept = 0
    for action in plan.actions:
        if action.op is Op.KEEP and not _is_left_behind(action):
            kept += 1
            continue
        print(f"  {SYMBOLS[action.op]} {action.op.value:<8}{_action_title(action)}")
        print(f"      {action.reason} {action.remedy}".rstrip())
        if action.op in {Op.UPDATE, Op.REPLACE}:
            for diff in action.diffs:
                print(f"        {_format_diff(diff)}")
    if plan.retained:
        earlier = sum(key.kind == EndpointConfig.KIND for key in plan.retained)
        print(f"  Earlier endpoint configurations retained, with their models: {earlier}.")
    if plan.kept:
        print(f"  {plan.kept}")
    if plan.price is not None:
        print(plan.price.says)
    print(f"{len(plan.changes)} to change, {kept} up to date, {len(plan.blocked)} blocked.")


def _is_left_behind(action: Action) -> bool:
    """Return whether ``destroy`` keeps something, which is worth a line."""
    return action.resource is None


def _describe_target(context: Context) -> str:
    settings = context.settings
    where = cloud_url(context.session)
    region = f"{settings.region} (from {settings.region_source})"
    return f"{settings.prefix} in account {settings.account}, region {region}, at {where}"


def _action_title(action: Action) -> str:
    return f"{action.title} {action.key.name}"


def _format_diff(diff: Diff) -> str:
    return f"{diff.path}: {_shorten_value(diff.before)} -> {_shorten_value(diff.after)}"


def _shorten_value(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def _ask_question(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        print()
        return ""


def _print_error(error: WorkflowError) -> None:
    print(f"{error.code}: {error.message}\n{error.remedy}", file=sys.stderr)


def _build_parser() -> Parser:
    parser = Parser(
        prog="python -m deploy",
        description="Deploy the image-classification workflow to AWS, or to the cloud that"
        " AWS_ENDPOINT_URL names. Every option can also be set by an environment variable.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = shared_options()
    plan = commands.add_parser(
        "plan", parents=[shared], help="show what apply would do; exit code 2: changes pending"
    )
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    plan.set_defaults(command=_run_plan)
    check = commands.add_parser(
        "check",
        parents=[shared],
        help="show what would end a deployment, and its price; exit code 1: a problem",
    )
    check.add_argument("--json", action="store_true", help="print the findings as JSON")
    check.set_defaults(command=_run_check)
    export = commands.add_parser(
        "export", parents=[shared], help="print the deployment as a template for other tools"
    )
    export.add_argument("--format", choices=["cloudformation"], required=True)
    export.add_argument("--artifacts", metavar="FOLDER", help="write what it needs uploaded here")
    export.set_defaults(command=_run_export)
    policy = commands.add_parser(
        "policy", parents=[shared], help="print the IAM policy of a user of the deployment"
    )
    policy.add_argument("user", choices=list(User))
    policy.set_defaults(command=_run_policy)
    apply = commands.add_parser("apply", parents=[shared], help="create or update everything")
    apply.add_argument("--yes", action="store_true", help="do not ask")
    apply.add_argument(
        "--canary",
        type=parse_percentage,
        default=100,
        metavar="PERCENT",
        help="send only this share of new executions to the new version; apply again to finish",
    )
    apply.add_argument(
        "--keep-endpoint",
        action="store_true",
        help="make the new model, but leave the endpoint as it is: the Rollout page of the"
        " dashboard serves the model beside the one in use",
    )
    apply.set_defaults(command=_run_apply)
    for name, command, told in (
        ("rollback", _run_rollback, "send all new executions to the version before"),
        ("batch", _run_batch, "create or update the state machine that classifies many photos"),
    ):
        asking = commands.add_parser(name, parents=[shared], help=told)
        asking.add_argument("--yes", action="store_true", help="do not ask")
        asking.set_defaults(command=command)
    training = commands.add_parser(
        "train", parents=[shared], help="train on a training set and compare with the model in use"
    )
    train.add_options(training)
    training.set_defaults(command=_run_train)
    status = commands.add_parser("status", parents=[shared], help="show what is deployed")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    status.set_defaults(command=_run_status)
    destroy = commands.add_parser("destroy", parents=[shared], help="delete what apply created")
    destroy.add_argument("--confirm", metavar="NAME", help="the deployment's name; do not ask")
    destroy.add_argument(
        "--empty-bucket", metavar="BUCKET", help="also delete every image and capture in it"
    )
    destroy.set_defaults(command=_run_destroy)
    return parser


if __name__ == "__main__":
    sys.exit(main())
