"""Run one of the workflows on this machine, against a local AWS emulator.

    pennyworth rehearse
    pennyworth rehearse --workflow preview

deploy runs the whole deployment, from GitHub's OIDC token to the smoke tests. preview and health-check run
after a deployment; the previewed pull request doubles the function's memory. Prints a line for each step, with its
duration. The job's summary, and the issues and comments written to GitHub, become a page in the work folder, whose
path it prints; --summary prints them too.

The workflow file is the one that GitHub runs. act runs it in GitHub's place, with a fake GitHub API. Actions of
other projects are replaced by stand-ins with the same inputs, unless you give --online.

The deploy role trusts the branch main of example/pennyworth. With another --branch or --repo, AWS refuses the
token and the job fails, as it would in your account.
"""

import argparse

from pennyworth.host.environments import EnvironmentUnavailable, environment
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say
from pennyworth.local.aws.server import LocalAws, LocalAwsFailed
from pennyworth.local.github import FakeGitHub
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.page import keep_page
from pennyworth.local.rehearsal.repository import BRANCH, REPOSITORY, Event, Rehearsal, Repository, Unprepared

EVENTS: dict[str, tuple[Event, ...]] = {
    "deploy": ("push", "workflow_dispatch"),
    "preview": ("pull_request",),
    "health-check": ("schedule", "workflow_dispatch"),
}
"""The events that start each workflow; the first is the default."""

_OUTPUT_LINES = 40
_MEMORY = "2048"  # the pull request's value, twice that of the stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add("--workflow", choices=EVENTS, default="deploy", help="the workflow to run (default: deploy)")
    add(
        "--event",
        choices=sorted({event for events in EVENTS.values() for event in events}),
        help="the event that starts it (default: the workflow's usual one)",
    )
    add(
        "--repo",
        default=REPOSITORY,
        metavar="OWNER/NAME",
        help=f"the token's repository (default: {REPOSITORY})",
    )
    add("--branch", default=BRANCH, help=f"the token's branch (default: {BRANCH})")
    add(
        "--immutable",
        action="store_true",
        help="use token subjects with GitHub's numeric IDs, as new repositories have them",
    )
    add(
        "--static-keys",
        action="store_true",
        help="use an IAM user's access keys instead of the deploy role",
    )
    add(
        "--online",
        action="store_true",
        help="fetch other projects' actions from GitHub instead of using stand-ins",
    )
    add("--summary", action="store_true", help="also print the job's summary, in Markdown")
    add("--verbose", action="store_true", help="also print the output of the steps")


def run(options: argparse.Namespace) -> int:
    """Run the workflow. Returns 0 if it succeeded."""
    raise_on_signals()
    events = EVENTS[options.workflow]
    event = options.event or events[0]
    if options.repo.count("/") != 1:
        say("pennyworth rehearse: --repo takes OWNER/NAME")
        return 2
    if event not in events:
        say(f"pennyworth rehearse: {options.workflow} takes --event {' or '.join(events)}, not {event}")
        return 2
    try:
        for name in ("tools", "localaws", "rehearsal", "gateway"):
            environment(name)
        with LocalAws(auth=True) as aws:
            say("The local AWS is running.")
            with Repository(
                aws, immutable=options.immutable, credentials="keys" if options.static_keys else "role"
            ) as repository:
                return _rehearse(repository, event, options)
    except (EnvironmentUnavailable, LocalAwsFailed, Unprepared, act.ActFailed) as failure:
        say(f"pennyworth rehearse: {failure}")
        return 1


def _rehearse(repository: Repository, event: Event, options: argparse.Namespace) -> int:
    if options.workflow != "deploy":
        say("Running deploy.yml first, so that there is an endpoint:")
        before = repository.run(online=options.online, report=_report)
        if not before.job.succeeded:
            _keep("deploy", before.summary, options)
            return _tell(before, options)
        if options.workflow == "preview":
            repository.parameters["MemorySize"] = _MEMORY
    say(f"Running {options.workflow}.yml:")
    result = repository.run(
        f"{options.workflow}.yml",
        event=event,
        repository=options.repo,
        branch=options.branch,
        online=options.online,
        report=_report,
    )
    _keep(options.workflow, result.summary + _read_github(repository.github), options)
    return _tell(result, options)


def _keep(workflow: str, text: str, options: argparse.Namespace) -> None:
    """Keep what the workflow wrote for people, say where, and print it if that is wanted."""
    if not text.strip():
        return
    if options.summary:
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
    say(f"The job's summary: {keep_page(workflow, text)}")


def _tell(result: Rehearsal, options: argparse.Namespace) -> int:
    """Print the result of a run. Returns the exit status."""
    if options.verbose or not result.job.succeeded:
        shown = result.job.output if options.verbose else result.job.output[-_OUTPUT_LINES:]
        for line in shown:
            say(f"    {line}")
    for warning in result.job.warnings:
        say(f"  ! {warning}")
    for error in result.job.errors:
        say(f"  ✗ {error}")
    if not result.job.succeeded:
        say(f"The workflow failed. Its full log: {result.log}")
        if result.presented != result.trusted:
            say(f"The deploy role trusts {result.trusted}, but the token is for {result.presented}.")
        return 1
    say("The workflow succeeded.")
    return 0


def _read_github(github: FakeGitHub) -> str:
    """Return the issues and comments that a run wrote, in Markdown."""
    parts = []
    for number, issue in github.issues.items():
        if "pull_request" not in issue:
            parts.append(f"issue {number}, {issue['state']}: {issue['title']}\n\n{issue['body']}")
        parts += [f"comment on {number}\n\n{body}" for body in github.bodies(number)]
    return "".join(f"\n---\n\n{part.rstrip()}\n" for part in parts)


def _report(step: act.Step) -> None:
    indent = "    " if step.inside else "  "
    say(f"{indent}{'✓' if step.succeeded else '✗'} {step.name} {step.seconds:.1f} s")
