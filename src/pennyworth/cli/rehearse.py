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
from dataclasses import asdict
from pathlib import Path

from pennyworth.cli.output import Misused, json_option, print_json
from pennyworth.host.environments import environment
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.github import FakeGitHub
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.page import keep_page
from pennyworth.local.rehearsal.repository import BRANCH, REPOSITORY, Event, Rehearsal, Repository

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
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Run the workflow. Returns 0 if it succeeded."""
    events = EVENTS[options.workflow]
    event = options.event or events[0]
    if options.repo.count("/") != 1:
        raise Misused("--repo takes OWNER/NAME")
    if event not in events:
        raise Misused(f"{options.workflow} takes --event {' or '.join(events)}, not {event}")
    raise_on_signals()
    for name in ("tools", "localaws", "rehearsal", "gateway"):
        environment(name)
    with LocalAws(auth=True) as aws:
        say("The local AWS is running.")
        with Repository(
            aws, immutable=options.immutable, credentials="keys" if options.static_keys else "role"
        ) as repository:
            return _rehearse(repository, event, options)


def _rehearse(repository: Repository, event: Event, options: argparse.Namespace) -> int:
    if options.workflow != "deploy":
        say("Running deploy.yml first, so that there is an endpoint:")
        before = repository.run(online=options.online, report=_report)
        if not before.job.succeeded:
            return _tell("deploy", before, _keep("deploy", before.summary, options), options)
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
    page = _keep(options.workflow, result.summary + _read_github(repository.github), options)
    return _tell(options.workflow, result, page, options)


def _keep(workflow: str, text: str, options: argparse.Namespace) -> Path | None:
    """Keep what the workflow wrote for people, say where, and print it if that is wanted. Returns the page, if any."""
    if not text.strip():
        return None
    if options.summary:
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
    page = keep_page(workflow, text)
    say(f"The job's summary: {page}")
    return page


def _tell(workflow: str, result: Rehearsal, page: Path | None, options: argparse.Namespace) -> int:
    """Print the result of a run. Returns the exit status."""
    job = result.job
    if options.json:
        print_json(
            {
                "workflow": workflow,
                "succeeded": job.succeeded,
                "steps": [asdict(step) for step in job.steps],
                "errors": job.errors,
                "warnings": job.warnings,
                "summary": page,
                "log": result.log,
            }
        )
    if options.verbose or not job.succeeded:
        shown = job.output if options.verbose else job.output[-_OUTPUT_LINES:]
        for line in shown:
            say(f"    {line}")
    for warning in job.warnings:
        say(f"  ! {warning}")
    for error in job.errors:
        say(f"  ✗ {error}")
    if not job.succeeded:
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
