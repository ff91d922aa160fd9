"""Going through the checks, one after another, so that no measurement disturbs the next."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pennyworth.checks.smoke.checks import CHECKS, EXPECTED, LARGE_BYTES, QUESTION, Check, Trial, named
from pennyworth.checks.smoke.endpoint import Endpoint, Failure, Skipped, Unpromised, Unreachable
from pennyworth.checks.smoke.results import Result, Status

_PAUSE_SECONDS = 2.0
_QUIET_SECONDS = 2.0
_TICK_SECONDS = 10.0


def run(
    endpoint: Endpoint,
    *,
    models: Sequence[str] = (),
    limit: int = 5,
    skip: Collection[str] = (),
    question: str = QUESTION,
    expected: str = EXPECTED,
    origin: str = "https://example.com",
    wait: float = 0.0,
    strict: bool = False,
    large_bytes: int = LARGE_BYTES,
    long_seconds: float = 0.0,
    report: Callable[[Result], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Run every check.

    Args:
        endpoint: what to try.
        models: the models to ask; by default those that it lists, without wildcards.
        limit: how many of the listed ones at most.
        skip: names of checks to leave out.
        question: what the models are asked.
        expected: what must stand in their answers, in any case of letters.
        origin: the origin whose pages call the API, for CORS.
        wait: seconds to go on trying until it answers at all, for a domain that is new.
        strict: whether what only this project's gateway promises must hold, whatever the endpoint is. Of an
            endpoint that says that it is this gateway it must in any case; of others the check is skipped.
        large_bytes: the size of a body that may be too large for it.
        long_seconds: how long a request must stay open; 0 leaves that out.
        report: is told each result at once.
        progress: is told now and then what is being done, where it takes longer than two seconds.
    Returns:
        the results, in the order of CHECKS.
    """
    trial = Trial(endpoint, origin, question, expected, large_bytes, long_seconds)
    left_out = dict.fromkeys(skip, "as asked")
    if not long_seconds:
        left_out.setdefault("long", "not asked for")
    results: list[Result] = []
    reachable = True
    until = time.monotonic() + wait

    def attempt(check: Check, model: str = "") -> Result:
        nonlocal reachable
        with ticking(named(check.name, model), progress):
            result, reachable = _tried(check, replace(trial, model=model), strict)
            while check is CHECKS[0] and result.status == "failed" and time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
                result, reachable = _tried(check, trial, strict)
        return result

    for check in CHECKS:
        if check.name in left_out or not reachable:
            reason = left_out.get(check.name, "not reachable")
            found = [Result(check.name, None, "skipped", 0.0, reason)]
            report(found[0])
        elif check.asks == "none":
            found = [attempt(check)]
            report(found[0])
        else:
            asked = list(models or _listed(endpoint, limit))
            found = []
            for model in asked if check.asks == "each" else asked[:1]:
                found.append(attempt(check, model))
                report(found[-1])
            reachable = True  # one model that does not answer says nothing of the others
        results += found
    return results


@contextmanager
def ticking(title: str, progress: Callable[[str], None]) -> Iterator[None]:
    """Tell now and then how long something has been going on, once it takes longer than two seconds."""
    began = time.monotonic()
    done = threading.Event()

    def tick() -> None:
        pause = _QUIET_SECONDS
        while not done.wait(pause):
            progress(f"{title} ... {time.monotonic() - began:.0f} s")
            pause = _TICK_SECONDS

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _tried(check: Check, trial: Trial, strict: bool) -> tuple[Result, bool]:
    """Run a check: its result, and whether the endpoint answered at all."""
    began = time.monotonic()
    status: Status = "passed"
    reachable = True
    try:
        detail = check.run(trial)
    except Unpromised as lack:
        status, detail = "failed" if strict or trial.endpoint.ours else "skipped", str(lack)
    except Failure as failure:
        status, detail, reachable = "failed", str(failure), not isinstance(failure, Unreachable)
    except Skipped as reason:
        status, detail = "skipped", str(reason)
    if trial.endpoint.key:
        detail = detail.replace(trial.endpoint.key, "***")
    seconds = round(time.monotonic() - began, 3)
    return Result(check.name, trial.model or None, status, seconds, detail), reachable


def _listed(endpoint: Endpoint, limit: int) -> list[str]:
    """The models to ask where none was named. None where they can't be listed: that is a failure already."""
    try:
        return [name for name in endpoint.models if "*" not in name][:limit]
    except Failure:
        return []
