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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import partial
from itertools import dropwhile, takewhile
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from pennyworth.host.environments import EnvironmentUnavailable, environment, uv
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say, show_anything
from pennyworth.local.aws import adapter
from tests.lint import CHECKS, Check
from tests.runner import Outcome, Runner

TESTS = ROOT / "tests"
LANES = (os.cpu_count() or 1) + 1
"""How many programs run side by side: one for each core, and one that runs while another only waits."""

# What a part needs is made before it begins, while others run: environments, and the real Web Adapter for those that
# invoke functions, where cargo is there to build it. Parts begin in this order as soon as they can, the longest first;
# a folder that is not named here comes last.
ADAPTER = "adapter"
NEEDS = {
    "rehearsal": ("test", "tools", "localaws", "rehearsal", "gateway", ADAPTER),
    "gateway": ("test", "tools", "localaws"),
    "e2e": ("test", "tools", "localaws", "model", "gateway", "litellm", ADAPTER),
    "pipeline": ("test", "tools", "localaws"),
    "iam": ("test", "tools", "localaws"),
    "checks": ("test", "tools", "localaws"),
    "setup": ("test", "tools", "localaws"),
    "local": ("test", "localaws", "tools", ADAPTER),
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
        outcomes = _run(folders, linters, options, fix=fix)
    except EnvironmentUnavailable as error:
        say(str(error))
        return 1
    return _summary(outcomes, time.monotonic() - began)


def parts() -> list[str]:
    """`lint`, and the folders in tests/ that hold tests."""
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    ordered = [name for name in NEEDS if name in folders]
    return ["lint", *ordered, *sorted(folders - set(ordered))]


def _run(
    folders: Sequence[str], linters: Sequence[Check], options: Sequence[str], *, fix: bool
) -> list[Outcome]:
    """Run linters and folders of tests side by side, each as soon as what it needs is there."""
    needs = {part: NEEDS.get(part, ("test",)) for part in folders}
    names = [*(linter.environment for linter in linters), *(name for part in folders for name in needs[part])]
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        runner = Runner(Path(scratch), follow=not linters and len(folders) == 1)
        prepared = _prepare(
            [name for name in dict.fromkeys(names) if name != ADAPTER], with_adapter="local" in folders
        )

        def check(linter: Check) -> Outcome:
            prepared[linter.environment].result()
            return runner.check(linter, fix=fix)

        def test(part: str) -> Outcome:
            for name in needs[part]:
                prepared[name].result()
            return runner.pytest(part, TESTS / part, options)

        with ThreadPoolExecutor(1 if fix else LANES) as pool, runner.heartbeat():
            futures = [
                *(pool.submit(check, linter) for linter in linters),
                *(pool.submit(test, p) for p in folders),
            ]
            try:
                return [future.result() for future in as_completed(futures)]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                runner.stop()
                for ready in prepared.values():
                    ready.cancel()  # nobody waits any more
                raise


def _prepare(names: Sequence[str], *, with_adapter: bool) -> Mapping[str, "Future[None]"]:
    """Begin to make environments, and the Web Adapter; what is done when each is there."""
    prepared: dict[str, Future[None]] = {name: Future() for name in (*names, ADAPTER)}
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in names:
        waiting.put(name)

    def make(name: str, call: Callable[[], object]) -> None:
        with suppress(InvalidStateError):  # nobody waits any more
            try:
                call()
            except Exception as error:
                prepared[name].set_exception(error)
            else:
                prepared[name].set_result(None)

    def make_environments() -> None:
        with suppress(Empty):
            while True:
                name = waiting.get_nowait()
                make(name, partial(environment, name))

    begin = partial(Thread, daemon=True)
    begin(target=make, args=(ADAPTER, _build_adapter if with_adapter else bool)).start()
    if names:
        uv()  # which makes all others
    for _ in range(LANES):
        begin(target=make_environments).start()
    return prepared


def _build_adapter() -> None:
    if adapter.real() is None and shutil.which("cargo"):
        try:
            adapter.build()
        except adapter.AdapterUnavailable as error:
            say(str(error))  # what needs it says so again, as a failed test


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
