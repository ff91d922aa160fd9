"""Set your AWS account and repository up for the deployment workflow, once, with your own rights.

Shows what it would do, asks, and does it: the stack of policies/bootstrap.yaml with GitHub's identity provider, the
deploy role and the view role, their policies and boundaries; the certificate for api.DOMAIN with its validation record;
the repository's secrets, with gh where it is logged in. What is as it must be is left alone, so it can be run again at
any time. The credentials are those of the environment, as the AWS CLI takes them. --delete takes it all back.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from pennyworth.cli.environment import go_on_in
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say

if TYPE_CHECKING:
    from pennyworth.aws.account import Account

_SINGLE = {
    # an option: the parameter of policies/bootstrap.yaml that it is
    "repository": "Repository",
    "owner_id": "RepositoryOwnerId",
    "repository_id": "RepositoryId",
    "stack_name": "StackName",
    "domain": "BaseDomain",
    "hosted_zone_id": "HostedZoneId",
    "max_session_seconds": "MaxSessionSeconds",
    "first_deployment": "FirstDeployment",
    "view_role": "ViewRole",
    "alert_email": "AlertEmail",
}
_LISTS = {"branch": "Branch", "environment": "Environment"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add(
        "--repository",
        metavar="OWNER/NAME",
        help="whose workflow deploys (default: this folder's git remote)",
    )
    add("--owner-id", metavar="NUMBER", help="GitHub's number of its owner (default: asked for with gh)")
    add("--repository-id", metavar="NUMBER", help="GitHub's number of it (default: asked for with gh)")
    add(
        "--branch",
        action="append",
        metavar="NAME",
        help="a branch that may deploy; up to three (default: main)",
    )
    add(
        "--environment",
        action="append",
        metavar="NAME",
        help="a GitHub environment that may deploy; up to three",
    )
    add(
        "--stack-name",
        metavar="NAME",
        help="of the endpoint's stack, at most 24 characters (default: endpoint)",
    )
    add("--region", help="where the endpoint is deployed to (default: $AWS_REGION or the profile's)")
    add("--domain", metavar="DOMAIN", help="the endpoint becomes api.DOMAIN; empty for none")
    add("--hosted-zone-id", metavar="ID", help="the domain's hosted zone (default: looked for)")
    add("--max-session-seconds", metavar="SECONDS", help="of the role's credentials (default: 3600)")
    add(
        "--first-deployment",
        choices=["yes", "no"],
        help="attach the broader policy of a first stage, too (default: no)",
    )
    add(
        "--view-role",
        choices=["yes", "no"],
        help="make a second role, which only looks, for previews of pull requests and health checks (default: yes)",
    )
    add("--alert-email", metavar="ADDRESS", help="where alerts go; empty for none (default: none)")
    add("--new-api-key", action="store_true", help="make a key for callers, and set LITELLM_API_KEYS to it")
    add("--wait", type=float, default=30.0, metavar="MINUTES", help="for the certificate (default: 30)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    what.add_argument("--delete", action="store_true", help="take it all back")
    add("--yes", action="store_true", help="do it without asking")


def run(options: argparse.Namespace) -> int:
    """Set up, or take back; 0 where it is done."""
    go_on_in("tools")
    from pennyworth.aws.account import Account, Unprepared
    from pennyworth.aws.errors import AWS_FAILURES
    from pennyworth.github.gh_cli import GitHubFailed
    from pennyworth.host.errors import OperationFailed
    from pennyworth.iam.bootstrap_template.template import SLOTS

    raise_on_signals()
    for name in _LISTS:
        if len(getattr(options, name) or ()) > len(SLOTS):
            say(f"pennyworth bootstrap: at most {len(SLOTS)} of --{name}")
            return 2
    try:
        account = Account(options.region)
        return _delete(options, account) if options.delete else _set_up(options, account)
    except (Unprepared, GitHubFailed, OperationFailed, *AWS_FAILURES) as failure:
        say(f"pennyworth bootstrap: {failure}")
        return 1


def _set_up(options: argparse.Namespace, account: "Account") -> int:
    from pennyworth.setup.plan import Plan
    from pennyworth.setup.settle import settle

    asking = sys.stdin.isatty() and not options.yes
    settings = settle(account, given(options), _ask if asking and not options.dry_run else None)
    plan = Plan(account, settings, new_key=options.new_api_key, wait_seconds=options.wait * 60)
    print(f"Account {account.id} ({account.caller}), region {account.region}\n{plan.text()}", flush=True)
    if options.dry_run:
        return 0
    if plan.changes:
        if not options.yes and not _confirmed("Do it?"):
            say("Nothing was changed.")
            return 1
        plan.carry_out()
    if leftover := plan.leftover():
        print(leftover)
    return 0


def _delete(options: argparse.Namespace, account: "Account") -> int:
    from pennyworth.setup.undo import take_back, tell

    def confirmed(what: str) -> bool:
        print(
            f"Account {account.id} ({account.caller}), region {account.region}. This goes:\n{what}",
            flush=True,
        )
        return bool(options.yes) or _confirmed("Delete it?")

    tell(take_back(account, confirmed))
    return 0


def given(options: argparse.Namespace) -> dict[str, str]:
    """The template's parameters that the options name."""
    from pennyworth.iam.bootstrap_template.template import SLOTS

    values = {
        parameter: value
        for option, parameter in _SINGLE.items()
        if (value := getattr(options, option)) is not None
    }
    for option, parameter in _LISTS.items():
        if (named := getattr(options, option)) is not None:
            padded = [*named, *[""] * len(SLOTS)]
            values |= {f"{slot}{parameter}": name for slot, name in zip(SLOTS, padded, strict=False)}
    return values


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        say("Nobody is there to ask: say --yes.")
        return False
    return _ask(question, "no").lower() in {"y", "yes"}


def _ask(question: str, otherwise: str) -> str:
    return input(f"{question} [{otherwise}] ").strip() or otherwise
