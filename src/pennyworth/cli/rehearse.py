"""Run the deployment workflow on this machine against the local AWS, from GitHub's token to a tried endpoint.

The workflow file is the one that GitHub runs, with act in GitHub's place. The deploy role trusts the branch main of
example/pennyworth: with another --branch or --repo AWS refuses the token, and the job fails at its credentials. Other
people's actions are stand-ins (src/pennyworth/localaws/rehearsal/stand_ins) unless --online. Prints the job's summary.
"""

import argparse
import sys

from pennyworth.host.environments import EnvironmentUnavailable, environment
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say
from pennyworth.localaws.rehearsal import act
from pennyworth.localaws.rehearsal.rehearse import BRANCH, REPOSITORY, WORKFLOW, Unprepared, rehearse
from pennyworth.localaws.server import LocalAws, LocalAwsFailed

_OUTPUT_LINES = 40


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add(
        "--event",
        choices=["push", "workflow_dispatch"],
        default="push",
        help="what starts it (default: push)",
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
    if options.repo.count("/") != 1:
        say("pennyworth rehearse: --repo takes OWNER/NAME")
        return 2
    try:
        for name in ("tools", "localaws", "rehearsal", "gateway"):
            environment(name)
        with LocalAws(auth=True) as aws:
            say(f"The local AWS is up. {WORKFLOW} runs:")
            result = rehearse(
                aws,
                event=options.event,
                repository=options.repo,
                branch=options.branch,
                immutable=options.immutable,
                credentials="keys" if options.static_keys else "role",
                online=options.online,
                report=_report,
            )
    except (EnvironmentUnavailable, LocalAwsFailed, Unprepared, act.ActFailed) as failure:
        say(f"pennyworth rehearse: {failure}")
        return 1
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


def _report(step: act.Step) -> None:
    say(f"  {'✓' if step.succeeded else '✗'} {step.name} {step.seconds:.1f} s")
