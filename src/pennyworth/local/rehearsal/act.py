"""Runs a workflow file with act (https://nektosact.com) on this machine, and reads its results.

Uses no containers: the job's steps run as this user, with a home folder and environment variables of their own.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.processes import Child

STAND_INS = Path(__file__).parent / "stand_ins"

# the variables that steps may use: for programs, language, and access to package indexes
_KEPT = re.compile(
    r"PATH|LANG|LC_\w+|SSL_\w+|(REQUESTS|CURL|PIP|UV)_\w+|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE
)
_USES = re.compile(r"^\s*(?:-\s+)?uses:\s*['\"]?([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([\w.-]+)", re.MULTILINE)
_CALLED = re.compile(r"uses:\s*[\w.-]+/[\w.-]+/(\.github/workflows/[\w.-]+)@")
_NATIVE = frozenset({"actions/checkout"})  # act implements it itself
_BEGUN = re.compile(r"\S* ?Run Main (.*)")
_QUICK = {
    "core.compression": "0",
    "pack.window": "0",
}  # git's options for a repository that lasts for minutes
_TOLD_DEPTH = 2  # report the job's steps, and the steps of the actions that they use
_LIMIT_SECONDS = 1200.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """A step that has ended."""

    name: str
    succeeded: bool
    seconds: float
    job: str = ""
    """The ID of its job."""
    inside: str = ""
    """The name of the step that uses its action; empty for a step of the job itself."""


@dataclass(slots=True)
class Job:
    """The results of a workflow run, for all of its jobs."""

    succeeded: bool = False
    """Whether all of its jobs succeeded."""
    steps: list[Step] = field(default_factory=list)
    """The steps in the order in which they ended, without skipped ones."""
    parts: list[Step] = field(default_factory=list)
    """The steps of the actions that the job's steps use, but not of actions that those use."""
    summary: str = ""
    """The job summary, in Markdown."""
    errors: list[str] = field(default_factory=list)
    """The errors on the run's page."""
    warnings: list[str] = field(default_factory=list)
    """The warnings on the run's page."""
    output: list[str] = field(default_factory=list)
    """The lines that the steps printed."""


class ActFailed(OperationFailed):
    """act could not run the workflow. The message contains the end of its log."""


def run(
    tree: Path,
    workflow: str,
    event: Mapping[str, Any],
    *,
    name: str,
    folder: Path,
    environ: Mapping[str, str],
    secrets: Mapping[str, str],
    variables: Mapping[str, str],
    repositories: Mapping[str, Path] = MappingProxyType({}),
    online: bool = False,
    masked: bool = True,
    python: Path | None = None,
    report: Callable[[Step], None] = lambda _: None,
) -> Job:
    """Run a workflow.

    Args:
        tree: the checkout from rewritten_tree, a git repository.
        workflow: the workflow file's path in it.
        event: the event's payload in GitHub's format.
        name: the event's name, such as push.
        folder: the folder for the job's home, temporary files, settings and log (act.jsonl).
        environ: more environment variables for every step.
        secrets: the repository's secrets.
        variables: the repository's variables.
        repositories: folders to use for other repositories, by OWNER/NAME@REF.
        online: whether to fetch other projects' actions instead of using stand-ins.
        masked: whether to replace secrets with *** in the log, as GitHub does.
        python: the program that steps find as python3. None: the current interpreter.
        report: called with each step when it ends, including those of the job's actions.
    Raises:
        ActFailed: act could not run the workflow.
    """
    home, temporary = folder / "home", folder / "tmp"
    for place in (home, temporary):
        place.mkdir(parents=True, exist_ok=True)
    settings = {
        "--eventpath": json.dumps(event),
        "--env-file": _dotenv(environ),
        "--secret-file": _dotenv(secrets),
        "--var-file": _dotenv(variables),
        "--input-file": "",
    }
    command: list[str | Path] = [environment("rehearsal") / "act", name]
    command += ["--directory", tree]
    command += ["--workflows", tree / workflow]
    command += ["--platform", "ubuntu-latest=-self-hosted"]
    command += ["--pull=false", "--no-cache-server", "--json"]
    if not masked:
        command.append("--insecure-secrets")
    if not online:
        command += _stand_ins(tree, workflow, repositories)
    command += [f"--local-repository={name}={place}" for name, place in repositories.items()]
    for option, text in settings.items():
        path = folder / f"{option.strip('-')}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        command += [option, path]
    own = {
        **{key: value for key, value in clean_environ().items() if _KEPT.fullmatch(key)},
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"))),
        "PATH": f"{_python(folder, python or Path(sys.executable).resolve())}{os.pathsep}{os.environ['PATH']}",
    }
    job = Job()
    try:
        with Child(command, log=folder / "act.jsonl", env=own, cwd=tree) as child:
            reader = _Reader(job, report)
            until = time.monotonic() + _LIMIT_SECONDS
            with child.log.open(encoding="utf-8", errors="replace") as log:
                while (running := child.running()) and time.monotonic() < until:
                    reader.feed(log.read())
                    time.sleep(_POLL_SECONDS)
                reader.feed(log.read())
            if running:
                raise ActFailed(f"the workflow did not end within {_LIMIT_SECONDS:.0f} s")
            if not reader.ended:
                raise ActFailed(f"act could not run {workflow}:\n{child.tail()}")
    finally:
        for option in settings:
            (folder / option.strip("-")).unlink(missing_ok=True)
    return job


class _Reader:
    """Reads act's log, which has a JSON object per line."""

    def __init__(self, job: Job, report: Callable[[Step], None]) -> None:
        self.ended = False
        self._job = job
        self._report = report
        self._rest = ""
        self._actions: set[tuple[str, ...]] = set()
        self._names: dict[tuple[str, ...], str] = {}

    def feed(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                self._take(entry)

    def _take(self, entry: dict[str, Any]) -> None:
        place = tuple(entry.get("stepID") or ())
        self._actions.update(place[:length] for length in range(1, len(place)))
        if "jobResult" in entry:
            self._job.succeeded = entry["jobResult"] == "success" and (self._job.succeeded or not self.ended)
            self.ended = True
        elif place and (begun := _BEGUN.match(entry.get("msg", ""))):
            self._names[place] = begun[1]
        elif place and entry.get("stage") == "Main" and entry.get("stepResult") in ("success", "failure"):
            if len(place) <= _TOLD_DEPTH:
                self._ended(place, entry)
        elif entry.get("command") == "summary":
            if (
                place not in self._actions
            ):  # act repeats the summary of an action's last step for the step that uses the action
                self._job.summary += entry["content"]
        elif (command := entry.get("command")) in ("error", "warning"):
            # ::error title=TITLE::MESSAGE; act misreads the title if the message contains ::
            shown = unquote(entry["raw"].partition(f"::{command}")[2].partition("::")[2]).strip()
            (self._job.errors if command == "error" else self._job.warnings).append(shown)
        elif entry.get("raw_output"):
            self._job.output.append(entry["msg"].rstrip("\n"))

    def _ended(self, place: tuple[str, ...], entry: dict[str, Any]) -> None:
        within = len(place) > 1
        step = Step(
            self._names.get(place, entry["step"]) if within else entry["step"],
            entry["stepResult"] == "success",
            entry.get("executionTime", 0) / 1e9,
            entry.get("jobID", ""),
            entry["step"] if within else "",
        )
        (self._job.parts if within else self._job.steps).append(step)
        self._report(step)


def _stand_ins(tree: Path, workflow: str, repositories: Mapping[str, Path]) -> list[str]:
    """Return act's options to use our stand-ins for other projects' actions, except those in `repositories`."""
    files = [tree / workflow, *tree.glob("actions/*/action.y*ml")]
    for place in repositories.values():
        called = _CALLED.findall((tree / workflow).read_text())
        files += [place / name for name in called] + [*place.glob("actions/*/action.y*ml")]
    used = {found for file in files for found in _USES.findall(file.read_text())}
    options = []
    for repository, ref in sorted(used):
        if repository in _NATIVE or f"{repository}@{ref}" in repositories:
            continue
        if not (STAND_INS / repository).is_dir():
            raise ActFailed(f"there is no stand-in for {repository}. Use --online, or add one to {STAND_INS}")
        options += ["--local-repository", f"{repository}@{ref}={STAND_INS / repository}"]
    return options


def commit(tree: Path, repository: str, branch: str) -> str:
    """Commit a folder as it is now. Creates the git repository for act if necessary.

    Args:
        tree: the folder.
        repository: OWNER/NAME on GitHub.
        branch: the branch to commit to.
    Returns:
        the commit's hash.
    """
    if not (tree / ".git").exists():
        _git(tree, "init", "--quiet")
        for name, value in _QUICK.items():
            _git(tree, "config", name, value)
    _git(tree, "checkout", "--quiet", "-B", branch)
    _git(tree, "config", "remote.origin.url", f"https://github.com/{repository}.git")
    _git(tree, "add", "--all")
    message = ("--allow-empty", "--message", "Rehearse")
    _git(tree, "-c", "commit.gpgSign=false", "commit", "--quiet", "--no-verify", *message)
    return _git(tree, "rev-parse", "HEAD")


def pull(tree: Path, source: Path, branch: str) -> None:
    """Set a folder to a branch of another git repository."""
    _git(tree, "fetch", "--quiet", str(source), branch)
    _git(tree, "reset", "--quiet", "--hard", "FETCH_HEAD")


def _git(tree: Path, *words: str) -> str:
    own = {key: value for key, value in clean_environ().items() if not key.startswith("GIT_")}
    command = ["git", "-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost", *words]
    done = subprocess.run(
        command, cwd=tree, env=own, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.stdout.strip()


def _python(folder: Path, python: Path) -> Path:
    """Return a folder for PATH with a program as python3."""
    link = folder / "bin" / "python3"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(python)
    return link.parent


def _dotenv(values: Mapping[str, str]) -> str:
    """Return values in the format of act's files."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("$", "\\$")
    return f'"{escaped}"'
