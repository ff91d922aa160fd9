"""Programs that judge the project, run side by side: linters, and pytest over a folder."""

import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import Child
from pennyworth.host.progress import say
from tests.lint import Check

LIMIT_SECONDS = 40 * 60
"""How long a part or a check may take."""
HEARTBEAT_SECONDS = 20
"""How often the running parts are told."""

SELECTING = ("-k", "-m", "--lf", "--last-failed")
"""pytest's options that may rightly leave nothing to run."""
NOTHING_RUN = 5
"""https://docs.pytest.org/en/stable/reference/exit-codes.html"""

# What would lead a test to somebody's account, or make it pass on one machine only
FOREIGN = re.compile(
    r"(AWS_(?!CA_BUNDLE)|LITELLM_|CORS_|GITHUB_|ACTIONS_|PROVIDER_CREDENTIALS)|.*_API_(KEY|BASE)$|PYTHON"
)


@dataclass(slots=True)
class Outcome:
    """What became of a part, or of a check."""

    name: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    """Names of what failed."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Names and reasons."""
    seconds: float = 0.0

    def counts(self) -> str:
        """Such as `12 passed, 0 failed, 1 skipped`."""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{self.passed} passed, {len(self.failed)} failed{skipped}"

    def mark(self) -> str:
        return "✗" if self.failed else "✓"


class Runner:
    """Runs programs side by side, none of which outlives it."""

    def __init__(self, scratch: Path, *, follow: bool) -> None:
        """
        Args:
            scratch: the folder for logs and temporary files.
            follow: show pytest's output as it comes.
        """
        self._scratch = scratch
        self._follow = follow
        self._environ = environ(scratch)
        self._running: dict[str, Child] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def check(self, check: Check, *, fix: bool) -> Outcome:
        """Run a linter, to fix what it finds or only to say it."""
        began = time.monotonic()
        outcome = Outcome(f"lint: {check.name}")
        command = check.command(fix=fix)
        code, log = self._run(outcome.name, command) if command else (0, None)
        if code:
            outcome.failed.append(outcome.name)
        else:
            outcome.passed = 1
        return self._done(outcome, began, log)

    def pytest(self, part: str, folder: Path, options: Sequence[str]) -> Outcome:
        """Run a folder of tests, with these options for pytest."""
        began = time.monotonic()
        outcome = Outcome(part)
        report = made("logs", "tests") / f"{part}.xml"
        report.unlink(missing_ok=True)
        python = str(environment("test") / "python")
        settings = ["-o", f"cache_dir={made('cache', 'pytest', part)}", f"--junitxml={report}"]
        colour = ["--color=yes"] if self._follow and sys.stderr.isatty() else []
        command = [python, "-m", "pytest", "-q", *settings, *colour, str(folder), *options]
        code, log = self._run(part, command, follow=self._follow)
        if report.exists():
            _read_report(report, outcome)
        selected_nothing = code == NOTHING_RUN and any(option.startswith(SELECTING) for option in options)
        if not outcome.failed and not selected_nothing and (code or not report.exists()):
            outcome.failed.append(f"{part}: pytest ended with status {code}")
        return self._done(outcome, began, None if self._follow else log)

    def stop(self) -> None:
        """End what runs, and begin nothing more."""
        with self._lock:
            self._stopping = True
            running = list(self._running.values())
        for child in running:
            child.stop()

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Say every now and then how far the running parts are."""
        over = threading.Event()
        began = time.monotonic()

        def beat() -> None:
            while not over.wait(HEARTBEAT_SECONDS):
                with self._lock:
                    running = {name: child.tail(3) for name, child in self._running.items()}
                parts = [
                    f"{name} {percent[-1]} %" if (percent := re.findall(r"\[ *(\d+)%\]", tail)) else name
                    for name, tail in running.items()
                ]
                if parts and not self._follow:
                    say(f"    {time.monotonic() - began:.0f} s: running {', '.join(parts)}")

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _run(self, name: str, command: Sequence[str | Path], *, follow: bool = False) -> tuple[int, Path]:
        """Run a program to its end; its exit status and its log."""
        log = self._scratch / f"{re.sub(r'[^a-z0-9]+', '-', name)}.log"
        with self._lock:
            if self._stopping:
                raise KeyboardInterrupt
            child = self._running[name] = Child(command, log=log, env=self._environ, cwd=ROOT)
        with child:
            code = _wait(child, log, follow=follow)
        with self._lock:
            del self._running[name]
        return code, log

    def _done(self, outcome: Outcome, began: float, log: Path | None) -> Outcome:
        outcome.seconds = time.monotonic() - began
        if self._stopping:
            return outcome
        output = log.read_text(errors="replace").rstrip() if log and outcome.failed else ""
        rule = "─" * 100
        shown = f"\n{rule}\n{output}\n{rule}" if output else ""
        detail = "" if outcome.name.startswith("lint: ") else f"  {outcome.counts()}"
        say(f"  {outcome.mark()} {outcome.name}{detail}  {outcome.seconds:.1f} s{shown}")
        return outcome


def environ(scratch: Path) -> dict[str, str]:
    """The environment for tests and linters: this process's, without keys and with every cache in the project.

    Args:
        scratch: the folder for temporary files.
    """
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    return kept | {
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(made("cache")),
        "MYPY_CACHE_DIR": str(made("cache", "mypy")),
        "RUFF_CACHE_DIR": str(made("cache", "ruff")),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(made("cache", "uv")),
        "npm_config_cache": str(made("cache", "npm")),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(made("sam")),
    }


def _wait(child: Child, log: Path, *, follow: bool) -> int:
    """Wait for a child; its exit status. Shows its log meanwhile if asked to."""
    deadline = time.monotonic() + LIMIT_SECONDS
    with log.open("rb") as output:
        while True:
            try:
                code = child.wait(0.2)
            except subprocess.TimeoutExpired:
                code = None
            if follow:
                sys.stderr.buffer.write(output.read())
                sys.stderr.flush()
            if code is not None:
                return code
            if time.monotonic() > deadline:
                child.stop()
                with log.open("a") as note:
                    note.write(f"\nended after {LIMIT_SECONDS} s\n")


def _read_report(report: Path, outcome: Outcome) -> None:
    """Take what pytest reports (JUnit's XML) into an outcome."""
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 pytest wrote it just now
        name = f"{case.get('classname', '')}::{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.append(name)
        elif skipped is not None:
            outcome.skipped.append((name, skipped.get("message", "without a reason")))
        else:
            outcome.passed += 1
