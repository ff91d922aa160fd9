"""Run all tests and linters, and print one summary: `make test`, `make lint`.

    python3 -m tests [PART or CHECK ...] [pytest's options]
    python3 -m tests gateway -k stream

A part is a folder of tests, or `lint`. `clients` runs only if you name it. A check is one of the linters. With options
for pytest, such as `-k stream`, the linters run only if you name `lint`. `lint --fix` fixes what the linters can fix.
You only need Python: everything else is installed into the project's folder.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import dropwhile, takewhile
from pathlib import Path

from pennyworth.host.environments import EnvironmentUnavailable, environment
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say, show_anything
from pennyworth.local.aws import adapter
from tests.lint import CHECKS
from tests.runner import Outcome, Runner

TESTS = ROOT / "tests"
LANES = (os.cpu_count() or 1) + 1
"""How many programs run side by side: one for each core, and one that runs while another only waits."""

# The environments that a part needs are made before anything runs, so that no test waits for them (nor for the real
# Web Adapter, which `local` tries where cargo is there to build it). Parts begin in this order, the longest first; a
# folder that is not named here comes last.
ENVIRONMENTS = {
    "lint": ("lint", "tools"),
    "rehearsal": ("test", "tools", "localaws", "rehearsal", "gateway"),
    "gateway": ("test", "tools", "localaws"),
    "pipeline": ("test", "tools", "localaws"),
    "checks": ("test", "tools", "localaws"),
    "e2e": ("test", "tools", "localaws", "model", "gateway", "litellm"),
    "iam": ("test", "tools", "localaws"),
    "setup": ("test", "tools", "localaws"),
    "local": ("test", "localaws", "tools"),
    "template": ("test", "tools"),
    "aws": ("test", "tools", "localaws"),
    "cli": ("test", "tools", "localaws", "rehearsal", "gateway", "completion"),
    "tools": ("test", "tools"),
    "clients": ("test",),
}
BY_NAME = frozenset({"clients"})
"""The parts that run only when they are named: `clients` installs some 700 packages and runs real programs."""


def main(words: Sequence[str]) -> int:
    """Run what is asked for.

    Args:
        words: parts and checks, then pytest's options.
    Returns:
        the exit status: 0 where everything passed, 1 where not, 2 where the call was wrong, 130 when interrupted.
    """
    known = parts()
    asked = list(takewhile(lambda word: not word.startswith("-"), words))
    options = [word for word in dropwhile(lambda word: not word.startswith("-"), words) if word != "--"]
    if {"-h", "--help"} & set(options):
        print(__doc__)
        return 0
    fix = "--fix" in options
    options = [option for option in options if option != "--fix"]
    checks = {check.name.replace(" ", "-"): check for check in CHECKS}
    if unknown := [word for word in asked if word not in (*known, *checks)]:
        say(f"nothing is called {', '.join(unknown)}. Parts: {', '.join(known)}; checks: {', '.join(checks)}")
        return 2
    if not asked:
        asked = [part for part in known if part not in BY_NAME and (part != "lint" or not options)]
    folders = [part for part in known if part in asked and part != "lint"]
    linters = [check for name, check in checks.items() if name in asked]
    if "lint" in asked and not linters:
        linters = list(CHECKS)

    began = time.monotonic()
    try:
        for name in _needed([*folders, *(["lint"] if linters else [])]):
            environment(name)
    except EnvironmentUnavailable as error:
        say(str(error))
        return 1
    if "local" in folders and adapter.real() is None and shutil.which("cargo"):
        try:
            adapter.build()
        except adapter.AdapterUnavailable as error:
            say(str(error))  # what needs it says so again, as a failed test
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        runner = Runner(Path(scratch), follow=not linters and len(folders) == 1)
        jobs: list[Callable[[], Outcome]] = [
            *(lambda check=check: runner.check(check, fix=fix) for check in linters),
            *(lambda part=part: runner.pytest(part, TESTS / part, options) for part in folders),
        ]
        with ThreadPoolExecutor(1 if fix else LANES) as pool, runner.heartbeat():
            futures = [pool.submit(job) for job in jobs]
            try:
                outcomes = [future.result() for future in as_completed(futures)]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                runner.stop()
                raise
    return _summary(outcomes, time.monotonic() - began)


def parts() -> list[str]:
    """`lint`, and the folders in tests/ that hold tests."""
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    ordered = [name for name in ENVIRONMENTS if name in folders]
    return ["lint", *ordered, *sorted(folders - set(ordered))]


def _needed(chosen: Sequence[str]) -> list[str]:
    """The environments of the chosen parts, each once."""
    return list(dict.fromkeys(name for part in chosen for name in ENVIRONMENTS.get(part, ("test",))))


def _summary(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print the table and the closing line; the exit status."""
    total = Outcome("all together", seconds=seconds)
    for outcome in outcomes:
        total.passed += outcome.passed
        total.failed += outcome.failed
        total.skipped += outcome.skipped
    width = max(len(outcome.name) for outcome in [*outcomes, total])
    print()
    for outcome in [*sorted(outcomes, key=lambda each: each.name), total]:
        print(f"{outcome.mark()} {outcome.name:<{width}}  {outcome.seconds:7.1f} s  {outcome.counts()}")
    for title, lines in (("skipped", list(_skips(total.skipped))), ("failed", total.failed)):
        if lines:
            print(f"\n{title}:", *lines, sep="\n  ")
    print(f"\n{total.counts()}")
    return 1 if total.failed else 0


def _skips(skipped: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A line for each reason that a test was skipped for: the test's name, or how many they are."""
    for reason in dict.fromkeys(reason for _, reason in skipped):
        names = [name for name, given in skipped if given == reason]
        modules = ", ".join(sorted({name.partition("::")[0] for name in names}))
        yield f"{names[0] if len(names) == 1 else f'{len(names)} tests in {modules}'}: {reason}"


if __name__ == "__main__":
    raise_on_signals()
    show_anything()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
