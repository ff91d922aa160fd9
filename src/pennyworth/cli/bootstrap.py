"""Prepare your AWS account and GitHub repository for the deployment workflow.

    pennyworth bootstrap --region us-east-1 --domain example.com --new-api-key

You do this once, with your own AWS credentials, which it finds the way the AWS CLI does. It shows a plan, asks
for confirmation, and then creates what is missing:

  - the CloudFormation stack of policies/bootstrap.yaml: GitHub's OIDC identity provider, the deploy role and
    the view role, with their policies and permissions boundaries
  - the ACM certificate for api.DOMAIN and its validation record
  - the repository's secrets, if gh is logged in; if not, it prints the commands to set them

You can run it again at any time: options that you leave out keep their values, and only what differs is
changed. With another --stack-name or --region, it sets up a further endpoint beside those that the account has,
and touches nothing of theirs. --delete removes what it created for one.
"""

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import Misused, json_option, print_json
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say

if TYPE_CHECKING:
    from pennyworth.aws.account import Account
    from pennyworth.setup.plan import Plan
    from pennyworth.setup.settle import Given

_SINGLE = {
    # option: parameter of policies/bootstrap.yaml
    "repository": "Repository",
    "owner_id": "RepositoryOwnerId",
    "repository_id": "RepositoryId",
    "stack_name": "StackName",
    "domain": "BaseDomain",
    "hosted_zone_id": "HostedZoneId",
    "adapter_layer": "AdapterAccount",
    "max_session_seconds": "MaxSessionSeconds",
    "first_deployment": "FirstDeployment",
    "view_role": "ViewRole",
    "alert_email": "AlertEmail",
}
_JOINED = {"workflow": "Workflows"}
"""Options whose values become one list."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add(
        "--repository",
        metavar="OWNER/NAME",
        help="the GitHub repository that may deploy (default: this folder's git remote)",
    )
    add(
        "--owner-id", metavar="NUMBER", help="the numeric GitHub ID of its owner (default: looked up with gh)"
    )
    add("--repository-id", metavar="NUMBER", help="its numeric GitHub ID (default: looked up with gh)")
    add(
        "--github-host",
        metavar="HOST",
        help="NAME.ghe.com, or the host of your GitHub Enterprise Server (default: $GH_HOST, else github.com)",
    )
    add(
        "--enterprise",
        metavar="NAME",
        help="your enterprise on github.com, if its tokens have an issuer of their own (default: none)",
    )
    add(
        "--branch",
        action="append",
        metavar="NAME",
        help='a branch that may deploy; repeat for several, "" for none (default: main, without --environment)',
    )
    add(
        "--environment",
        action="append",
        metavar="NAME",
        help='a GitHub environment that may deploy; repeat for several, "" for none (default: none)',
    )
    add(
        "--workflow",
        action="append",
        metavar="OWNER/NAME/.github/workflows/FILE@REF",
        help="a workflow file whose jobs may deploy, REF being a commit, refs/tags/NAME or refs/heads/NAME; repeat for"
        ' several, "" for every workflow (default: the deploy.yml that this checkout of the repository calls or has)',
    )
    add(
        "--stack-name",
        metavar="NAME",
        help="the name of the endpoint's stack, at most 24 characters; a new name sets up a further endpoint (default:"
        " the region's only one, else endpoint)",
    )
    stack.aws_options(parser)
    add("--domain", metavar="DOMAIN", help='serve the endpoint at api.DOMAIN; "" for the plain API URL')
    add("--hosted-zone-id", metavar="ID", help="the Route 53 hosted zone of the domain (default: looked up)")
    add(
        "--adapter-layer",
        metavar="ARN",
        type=_read_layer_account,
        help="the layer with the Lambda Web Adapter, if not AWS's own: the role may read it in that account"
        " (`pennyworth adapter publish` prints it)",
    )
    add(
        "--max-session-seconds",
        metavar="SECONDS",
        help="how long the role's credentials stay valid (default: 3600)",
    )
    add(
        "--first-deployment",
        choices=["yes", "no"],
        help="also attach the broader policy for a first deployment (default: no)",
    )
    add(
        "--view-role",
        choices=["yes", "no"],
        help="create a read-only role for pull request previews and health checks (default: yes)",
    )
    add(
        "--alert-email",
        metavar="ADDRESS",
        help='send security alerts to this address; "" for none (default: none)',
    )
    add(
        "--tag",
        action="append",
        metavar="NAME=VALUE",
        help='tag everything that is created; repeat for several, "" for none (default: leave the tags as they are)',
    )
    add(
        "--new-api-key",
        action="store_true",
        help="generate an API key for callers and store it in LITELLM_API_KEYS",
    )
    add(
        "--wait",
        type=float,
        default=30.0,
        metavar="MINUTES",
        help="how long to wait for the certificate (default: 30)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    what.add_argument("--delete", action="store_true", help="remove everything that bootstrap created")
    add("--yes", action="store_true", help="don't ask for confirmation")
    json_option(parser, "the plan, what was done and what is left to do")


def run(options: argparse.Namespace) -> int:
    """Set up the account, or remove the setup. Returns the exit status."""
    if options.json and not (options.yes or options.dry_run):
        raise Misused("--json can't ask for confirmation: add --yes or --dry-run")
    go_on_in("tools")
    from pennyworth.aws.account import Account

    raise_on_signals()
    account = Account(options.region)
    return _delete(options, account) if options.delete else _set_up(options, account)


def _set_up(options: argparse.Namespace, account: "Account") -> int:
    from pennyworth.aws.tags import read_tags
    from pennyworth.checks.name_check import check_names
    from pennyworth.setup.plan import Plan
    from pennyworth.setup.settle import settle

    asking = sys.stdin.isatty() and not options.yes
    settings = settle(account, read_options(options), _ask if asking and not options.dry_run else None)
    tags = None if options.tag is None else read_tags(options.tag)
    plan = Plan(account, settings, new_key=options.new_api_key, wait_seconds=options.wait * 60, tags=tags)
    print(f"Account {account.id} ({account.caller}), region {account.region}\n{plan.text()}", flush=True)
    for conflict in check_names(account, settings):
        print(f"! {conflict}. A deployment would fail. {conflict.remedy}", flush=True)
    if options.dry_run:
        return _report(account, plan, options, done=False)
    if plan.changes:
        if not options.yes and not _confirmed("Apply this plan?"):
            say("Nothing was changed.")
            return 1
        plan.carry_out()
    if not options.json and (leftover := plan.leftover()):
        print(leftover)
    return _report(account, plan, options, done=True)


def _report(account: "Account", plan: "Plan", options: argparse.Namespace, *, done: bool) -> int:
    """Print as JSON, if that is wanted, what was planned and what is left to do. Returns the exit status."""
    if options.json:
        print_json(
            {
                "account": account.id,
                "region": account.region,
                "changed": done and plan.changes,
                "plan": [{"what": step.what, "changes": step.changes} for step in plan.steps],
                "unset_secrets": plan.list_unset() if done else {},
                "api_key": plan.new_key or None if done else None,
            }
        )
    return 0


def _delete(options: argparse.Namespace, account: "Account") -> int:
    from pennyworth.setup.undo import take_back, tell

    def confirmed(what: str) -> bool:
        print(
            f"Account {account.id} ({account.caller}), region {account.region}. This will be deleted:\n{what}",
            flush=True,
        )
        return bool(options.yes) or _confirmed("Delete it?")

    remains = take_back(account, options.stack_name or "", confirmed)
    tell(remains)
    if options.json:
        print_json({"account": account.id, "region": account.region, "deleted": True, "remains": remains})
    return 0


def read_options(options: argparse.Namespace) -> "Given":
    """Return what the options set."""
    from pennyworth.aws.github_oidc import GITHUB, name_issuer
    from pennyworth.setup.settle import Given

    values = {
        parameter: value
        for option, parameter in _SINGLE.items()
        if (value := getattr(options, option)) is not None
    }
    host = options.github_host or os.environ.get("GH_HOST", "").lower()
    if host or options.enterprise is not None:
        values["Issuer"] = name_issuer(host or GITHUB, options.enterprise or "")
    for option, parameter in _JOINED.items():
        if (named := getattr(options, option)) is not None:
            values[parameter] = ",".join(named)
    return Given(values, options.branch, options.environment)


def _read_layer_account(arn: str) -> str:
    """Return the account of a layer version's ARN."""
    found = re.fullmatch(
        r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:(\d{12}):layer:LambdaAdapterLayer(X86|Arm64):\d+", arn
    )
    if not found:
        raise argparse.ArgumentTypeError(
            f"{arn} is no version of a layer LambdaAdapterLayerArm64 or LambdaAdapterLayerX86"
        )
    return found[1]


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        say("There is no terminal to ask for confirmation. Add --yes to confirm.")
        return False
    return _ask(question, "no").lower() in {"y", "yes"}


def _ask(question: str, otherwise: str) -> str:
    return input(f"{question} [{otherwise}] ").strip() or otherwise
