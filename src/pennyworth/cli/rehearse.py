"""Run a workflow on this machine against the local AWS: the deployment, from GitHub's token to a tried endpoint; or,
after it, the preview of a pull request or the health check.

The workflow file is the one that GitHub runs, with act in GitHub's place and a fake of GitHub's API. The deploy role
trusts the branch main of example/pennyworth: with another --branch or --repo AWS refuses the token, and the job fails
at its credentials. The pull request that is previewed doubles the function's memory. Other people's actions are
stand-ins (src/pennyworth/local/rehearsal/stand_ins) unless --online. Prints the job's summary, and what was said on
GitHub.
"""

import argparse
import sys

from pennyworth.host.environments import EnvironmentUnavailable, environment
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say
from pennyworth.local.aws.server import LocalAws, LocalAwsFailed
from pennyworth.local.github import FakeGitHub
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.repository import BRANCH, REPOSITORY, Event, Rehearsal, Repository, Unprepared

EVENTS: dict[str, tuple[Event, ...]] = {
    "deploy": ("push", "workflow_dispatch"),
    "preview": ("pull_request",),
    "health-check": ("schedule", "workflow_dispatch"),
}
"""What starts each workflow; the first by default."""

_OUTPUT_LINES = 40
_MEMORY = "2048"  # what the pull request asks for; the stack has half of it


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add("--workflow", choices=EVENTS, default="deploy", help="what runs (default: deploy)")
    add(
        "--event",
        choices=sorted({event for events in EVENTS.values() for event in events}),
        help="what starts it (default: what usually does)",
    )
    add(
        "--repo",
        default=REPOSITORY,
        metavar="OWNER/NAME",
        help=f"the token's repository (default: {REPOSITORY})",
    )
    add("--branch", default=BRANCH, help=f"the token's branch (default: {BRANCH})")
    add("--immutable", action="store_true", help="tokens and trust with GitHub's ids, as of new repositories")
    add(
        "--static-keys",
        action="store_true",
        help="with a user's keys in place of the deploy role, the old way",
    )
    add("--online", action="store_true", help="fetch the actions of others from GitHub")
    add("--verbose", action="store_true", help="print what the steps printed, too")


def run(options: argparse.Namespace) -> int:
    """Rehearse; 0 where the workflow succeeded."""
    raise_on_signals()
    events = EVENTS[options.workflow]
    event = options.event or events[0]
    if options.repo.count("/") != 1:
        say("pennyworth rehearse: --repo takes OWNER/NAME")
        return 2
    if event not in events:
        say(f"pennyworth rehearse: {options.workflow} is started by {' or '.join(events)}, not by {event}")
        return 2
    try:
        for name in ("tools", "localaws", "rehearsal", "gateway"):
            environment(name)
        with LocalAws(auth=True) as aws:
            say("The local AWS is up.")
            with Repository(
                aws, immutable=options.immutable, credentials="keys" if options.static_keys else "role"
            ) as repository:
                return _rehearse(repository, event, options)
    except (EnvironmentUnavailable, LocalAwsFailed, Unprepared, act.ActFailed) as failure:
        say(f"pennyworth rehearse: {failure}")
        return 1


def _rehearse(repository: Repository, event: Event, options: argparse.Namespace) -> int:
    if options.workflow != "deploy":
        say("deploy.yml runs first, so that there is something to look at:")
        before = repository.run(online=options.online, report=_report)
        if not before.job.succeeded:
            return _tell(before, options)
        if options.workflow == "preview":
            repository.parameters["MemorySize"] = _MEMORY
    say(f"{options.workflow}.yml runs:")
    result = repository.run(
        f"{options.workflow}.yml",
        event=event,
        repository=options.repo,
        branch=options.branch,
        online=options.online,
        report=_report,
    )
    status = _tell(result, options)
    _tell_of_github(repository.github)
    return status


def _tell(result: Rehearsal, options: argparse.Namespace) -> int:
    """Print how a run went; the exit status."""
    if options.verbose or not result.job.succeeded:
        shown = result.job.output if options.verbose else result.job.output[-_OUTPUT_LINES:]
        say("\n".join(f"    {line}" for line in shown))
    print(result.summary, end="")
    sys.stdout.flush()
    for warning in result.job.warnings:
        say(f"  ! {warning}")
    for error in result.job.errors:
        say(f"  ✗ {error}")
    if not result.job.succeeded:
        say(f"The workflow failed. Everything it said: {result.log}")
        if result.presented != result.trusted:
            say(f"The role trusts {result.trusted}, the token is for {result.presented}.")
        return 1
    say("The workflow succeeded.")
    return 0


def _tell_of_github(github: FakeGitHub) -> None:
    """Print the issues and comments that a run has written."""
    for number, issue in github.issues.items():
        said = github.bodies(number)
        if "pull_request" not in issue:
            print(f"\n--- issue {number}, {issue['state']}: {issue['title']}\n\n{issue['body']}")
        for body in said:
            print(f"\n--- comment on {number}\n\n{body}")
    sys.stdout.flush()


def _report(step: act.Step) -> None:
    indent = "    " if step.inside else "  "
    say(f"{indent}{'✓' if step.succeeded else '✗'} {step.name} {step.seconds:.1f} s")
