"""Write a deployment workflow and a configuration for an endpoint into your own repository.

    pennyworth init --provider openai --domain example.com --with preview

Run it in any git repository. It asks for what the options don't set; without a terminal, or with --yes or
--json, it uses the defaults. A file that exists stays as it is, unless you give --force. At the end it lists the next
steps.

--with preview adds a workflow that comments on pull requests what deploying them would change. --with
health-check adds one that checks every few hours whether the endpoint is healthy.
"""

import argparse
import difflib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import json_option, print_json
from pennyworth.host.errors import OperationFailed
from pennyworth.host.installation import find_command, find_origin
from pennyworth.host.lists import split_list
from pennyworth.host.places import ROOT, is_checkout
from pennyworth.host.progress import say
from pennyworth.host.regions import find_region
from pennyworth.setup.domain import WrongDomain, read_domain

if TYPE_CHECKING:
    from pennyworth.setup.init import Answers, Caller, WorkflowSource

_PROVIDER = "openai"
_REGION = "us-east-1"
_STACK_NAME = "endpoint"
_FURTHER = ("preview", "health-check")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add(
        "--provider",
        action="append",
        metavar="NAME",
        help=f"a provider, by LiteLLM's name for it; repeatable (default: {_PROVIDER})",
    )
    add("--domain", metavar="DOMAIN", help="serve the endpoint at api.DOMAIN (default: the plain API URL)")
    add(
        "--region",
        help=f"the AWS region to deploy to (default: $AWS_REGION, else your AWS profile's, else {_REGION})",
    )
    add("--stack-name", metavar="NAME", help=f"the name of its CloudFormation stack (default: {_STACK_NAME})")
    add(
        "--with",
        dest="further",
        action="append",
        default=[],
        choices=_FURTHER,
        help="also add this workflow; repeatable",
    )
    add("--branch", metavar="NAME", help="the branch to deploy on push (default: the current branch)")
    add(
        "--readable",
        action="store_true",
        help="write region, stack name and domain into the workflows, so that runs show them (default: use secrets,"
        " which GitHub masks)",
    )
    add(
        "--from",
        dest="source",
        default="",
        metavar="OWNER/NAME",
        help="the repository with the deployment workflow (default: where this program came from, by git)",
    )
    add(
        "--ref",
        default="",
        metavar="COMMIT",
        help="the commit, tag or branch of that repository (default: this program's commit)",
    )
    add("--force", action="store_true", help="replace files that exist")
    add("--yes", action="store_true", help="don't ask; use the defaults")
    json_option(parser, "the files and the next steps")


def run(options: argparse.Namespace) -> int:
    """Write the missing files, check all of them, and print the next steps. Returns the exit status."""
    if importlib.util.find_spec("yaml") is None:
        go_on_in("gateway")
    from pennyworth.checks.config.catalogue import find_nearest_provider, is_known
    from pennyworth.host.git import ask_git
    from pennyworth.setup import init

    top = ask_git(Path.cwd(), "rev-parse", "--show-toplevel")
    if not top:
        raise OperationFailed("this is not a git repository. Run it in yours, or create one with `git init`.")
    repository = Path(top)
    stays = (repository / init.CONFIG).exists() and not options.force
    try:
        source = (
            None
            if repository == ROOT
            else init.find_source(options.source, options.ref, ROOT if is_checkout() else None, find_origin())
        )
        answers = _answers(
            options, ask_git(repository, "branch", "--show-current"), repository if stays else None
        )
    except (init.SourceUnknown, WrongDomain) as error:
        raise OperationFailed(str(error)) from error
    for provider in answers.providers if options.provider or not stays else ():
        if not is_known(provider):
            meant = find_nearest_provider(provider)
            raise OperationFailed(
                f"LiteLLM knows no provider '{provider}'."
                + (f" Did you mean '{meant}'?" if meant else " See https://docs.litellm.ai/docs/providers.")
            )
    config = init.config(answers)
    states: dict[Path, str] = {}
    if stays and not options.provider and (repository / init.CONFIG).read_bytes() != config.encode():
        say(f"  · {init.CONFIG} exists and stays as it is; --force would replace it")
        states[init.CONFIG] = "kept"
    else:
        states[init.CONFIG] = _write(repository / init.CONFIG, config, repository, replace=options.force)
    callers = []
    if source:
        first, *further = init.CALLERS
        callers = [first, *(caller for caller in further if caller.name in options.further)]
        for caller in callers:
            text = init.workflow(answers, source, caller)
            states[caller.file] = _write(repository / caller.file, text, repository, replace=options.force)
    else:
        say("  · this is the project's own repository, which already has the workflows")
    _check(repository, callers)
    steps = _list_steps(answers, source, repository, callers)
    if options.json:
        files = [{"path": path, "state": state} for path, state in states.items()]
        print_json({"repository": repository, "files": files, "next_steps": steps})
        return 0
    print("Next steps:")
    for number, step in enumerate(steps, 1):
        print(f"  {number}. " + step.replace("\n", "\n     "))
    if source:
        print(
            f"{source.repository} must be public, or allow your repository to use its workflows"
            " (Settings → Actions → General → Access)."
        )
    return 0


def _answers(options: argparse.Namespace, branch: str, configured: Path | None) -> "Answers":
    """Take the answers from the options, and ask for the others.

    Args:
        options: the command's.
        branch: the repository's current branch.
        configured: the repository, if its configuration stays. Then nobody is asked for providers.
    Raises:
        WrongDomain: the domain that was given is none.
    """
    from pennyworth.setup.init import Answers

    asking = sys.stdin.isatty() and not (options.yes or options.json)
    domain = None if options.domain is None else _told(read_domain(options.domain), options.domain)
    if options.provider:
        providers = split_list(",".join(options.provider))
    elif configured:
        providers = _configured_providers(configured)
    else:
        providers = split_list(_asked(asking, "Which providers do you use? (LiteLLM's names)", _PROVIDER))
    if domain is None:
        domain = _asked_domain() if asking else ""
    return Answers(
        tuple(dict.fromkeys(providers)) or (_PROVIDER,),
        domain,
        options.region or _asked(asking, "Which AWS region?", find_region() or _REGION),
        options.stack_name or _asked(asking, "What is the stack to be called?", _STACK_NAME),
        options.branch or branch or "main",
        options.readable,
    )


def _configured_providers(repository: Path) -> list[str]:
    """Return the providers of the repository's configuration."""
    from pennyworth.checks.config import check
    from pennyworth.setup import init

    return [model.provider for model in check(repository / init.CONFIG, os.environ).models]


def _asked(asking: bool, question: str, default: str) -> str:
    if not asking:
        return default
    try:
        return input(f"{question}{f' [{default}]' if default else ''}: ").strip() or default
    except EOFError:
        return default


def _asked_domain() -> str:
    """Ask for the domain until the answer is one, or empty."""
    while True:
        answer = _asked(True, "Your domain, to serve at api.DOMAIN? (empty for the plain API URL)", "")
        try:
            return _told(read_domain(answer), answer)
        except WrongDomain as error:
            say(f"  ! {error}")


def _told(domain: str, typed: str) -> str:
    """Say how a domain was understood, if that differs from what was typed."""
    if domain != typed:
        say(
            f"  · the domain is {domain}: the endpoint will be at api.{domain}" if domain else "  · no domain"
        )
    return domain


def _write(path: Path, text: str, repository: Path, *, replace: bool) -> str:
    """Write a file. If it exists and is not to be replaced, show how it differs.

    Returns:
        what became of it: `written`, `replaced`, `unchanged`, or `kept` although it differs.
    """
    name = str(path.relative_to(repository))
    path.parent.mkdir(parents=True, exist_ok=True)
    present = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    if present == text:
        say(f"  ✓ {name} is up to date")
        return "unchanged"
    if present is None or replace:
        path.write_text(text, encoding="utf-8")
        state = "written" if present is None else "replaced"
        say(f"  ✓ {name} {state}")
        return state
    say(f"  · {name} already exists and was not changed. With your answers it would differ like this:")
    lines = difflib.unified_diff(
        present.splitlines(), text.splitlines(), f"{name} (yours)", f"{name} (new)", lineterm=""
    )
    say("\n".join(f"    {line}" for line in lines))
    return "kept"


def _check(repository: Path, callers: "Sequence[Caller]") -> None:
    """Check the files as they are now. Missing credentials are not an error: they are set later.

    Raises:
        OperationFailed: something is wrong with them.
    """
    from pennyworth.checks.config import check, render
    from pennyworth.setup import init

    os.chdir(repository)
    report = check(init.CONFIG, os.environ)
    if report.failed():
        raise OperationFailed(f"fix {init.CONFIG}:\n{render.render_findings(report)}")
    say(f"  ✓ {init.CONFIG} checked: {report.describe_package()}")
    program = shutil.which("actionlint")
    wrong = []
    for caller in callers:
        problems = init.workflow_problems(caller.file.read_text(encoding="utf-8"), caller)
        if program:
            done = subprocess.run([program, str(caller.file)], capture_output=True, text=True, check=False)
            problems += [done.stdout.strip() or done.stderr.strip()] if done.returncode else []
        if problems:
            wrong.append("\n".join((f"fix {caller.file}:", *(f"    {problem}" for problem in problems))))
        else:
            say(f"  ✓ {caller.file} checked{', also by actionlint' if program else ''}")
    if wrong:
        raise OperationFailed("\n".join(wrong))


def _list_steps(
    answers: "Answers", source: "WorkflowSource | None", repository: Path, callers: "Sequence[Caller]"
) -> list[str]:
    """List the next steps. A step's first line says what to do; the others are commands or lines to copy."""
    from pennyworth.checks.config import check
    from pennyworth.github.gh_cli import GITHUB, get_host
    from pennyworth.github.remote import is_on, read_remote
    from pennyworth.host.git import ask_git
    from pennyworth.setup import init

    remote = ask_git(repository, "remote", "get-url", "origin")
    bootstrap = [
        find_command(),
        "bootstrap",
        f"--region {answers.region}",
        f"--stack-name {answers.stack_name}",
    ]
    bootstrap += [f"--branch {answers.branch}"] if answers.branch != "main" else []
    bootstrap += [f"--domain {answers.domain}"] if answers.domain else []
    host = get_host()
    if host != GITHUB and is_on(remote, host):
        bootstrap.append(f"--github-host {host}")
    elif not is_on(remote, host):
        bootstrap.append(f"--repository {read_remote(remote) or 'OWNER/NAME'}")
    variables = dict.fromkeys(
        need.variables[0] for model in check(init.CONFIG, {}).models for need in model.needs if not need.met
    )
    credentials = "".join(f"\n  {name}=..." for name in variables) or "\nnothing, so you can skip it"
    files = " ".join(str(file) for file in (init.CONFIG, *(caller.file for caller in callers)))
    steps = [
        "Set up AWS once, with your own AWS credentials. This also sets your repository's secrets:\n"
        f"{' '.join(bootstrap)} --new-api-key",
        f"Set the secret PROVIDER_CREDENTIALS (gh secret set PROVIDER_CREDENTIALS) to{credentials}",
        f"git add {files} && git commit -m 'Deploy an endpoint' && git push",
    ]
    if source and not source.published:
        steps.insert(0, f"Push commit {source.ref} of {source.repository}: no remote branch contains it yet.")
    return steps
