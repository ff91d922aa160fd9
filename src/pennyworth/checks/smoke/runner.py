"""Runs the checks one after another, so that no measurement disturbs the next."""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pennyworth.checks.smoke.checks import CHECKS, EXPECTED, LARGE_BYTES, QUESTION, Check, Trial, get_title
from pennyworth.checks.smoke.endpoint import Endpoint, Failure, Refused, Skipped, Unpromised, Unreachable
from pennyworth.checks.smoke.results import Result, Status

_PAUSE_SECONDS = 2.0
_QUIET_SECONDS = 2.0
_TICK_SECONDS = 10.0
MASKED_CHARACTERS = 6
"""The length from which keys are masked. A shorter one is no secret, and may be a part of any word."""


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
    """Run the checks. Once the endpoint refuses the API key, those that send it are skipped.

    Args:
        endpoint: the endpoint to test.
        models: the models to ask. Default: those that it lists, without wildcards.
        limit: the maximum number of listed models to ask.
        skip: names of checks to skip.
        question: the question to ask the models.
        expected: text that their answers must contain, ignoring case.
        origin: the origin of web pages that call the API, for CORS.
        wait: the seconds to keep trying until it answers at all, for a new domain.
        strict: whether any endpoint must pass the checks of what only this project's gateway guarantees. If
            not, only this gateway must; for other endpoints a failure counts as skipped.
        large_bytes: the size of the large request body, in bytes.
        long_seconds: how many seconds a request must stay open. 0: skip this check.
        report: called with each result at once.
        progress: called now and then with what is in progress, if it takes longer than two seconds.
    Returns:
        the results, in the order of CHECKS.
    """
    trial = Trial(endpoint, origin, question, expected, large_bytes, long_seconds)
    left_out = dict.fromkeys(skip, "as requested")
    if not long_seconds:
        left_out.setdefault("long", "not requested")
    results: list[Result] = []
    reachable = admitted = True
    lacking = "the API key is refused" if endpoint.key else "it needs an API key"
    until = time.monotonic() + wait

    def attempt(check: Check, model: str = "") -> Result:
        nonlocal reachable, admitted
        with report_progress(get_title(check.name, model), progress):
            result, failure = _try_check(check, replace(trial, model=model), strict)
            while check is CHECKS[0] and result.status == "failed" and time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
                result, failure = _try_check(check, trial, strict)
        reachable = not isinstance(failure, Unreachable)
        if isinstance(failure, Refused) and check.keyed:
            # a key may be good for some models only, so that its refusal for one does not end the others
            admitted = bool(endpoint.key) and check.asks != "none"
        return result

    for check in CHECKS:
        reason = left_out.get(check.name) or (
            "the endpoint is not reachable"
            if not reachable
            else lacking
            if check.keyed and not admitted
            else ""
        )
        if reason:
            found = [Result(check.name, None, "skipped", 0.0, reason)]
            report(found[0])
        elif check.asks == "none":
            found = [attempt(check)]
            report(found[0])
        else:
            asked = list(models or _list_models(endpoint, limit))
            found = []
            for model in asked if check.asks == "each" else asked[:1]:
                found.append(
                    attempt(check, model) if admitted else Result(check.name, model, "skipped", 0.0, lacking)
                )
                report(found[-1])
            reachable = True  # other models may still answer
        results += found
    return results


@contextmanager
def report_progress(title: str, progress: Callable[[str], None]) -> Iterator[None]:
    """Report now and then how long the block has been running, once it takes longer than two seconds.

    Args:
        title: what the block does.
        progress: called with each message.
    """
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


def _try_check(check: Check, trial: Trial, strict: bool) -> tuple[Result, Failure | None]:
    """Run a check. Returns its result, and what it raised if it failed."""
    began = time.monotonic()
    status: Status = "passed"
    raised: Failure | None = None
    try:
        detail = check.run(trial)
    except Unpromised as lack:
        status, detail = "failed" if strict or trial.endpoint.ours else "skipped", str(lack)
    except Failure as failure:
        status, detail, raised = "failed", str(failure), failure
    except Skipped as reason:
        status, detail = "skipped", str(reason)
    detail = mask(detail, trial.endpoint.key)
    seconds = round(time.monotonic() - began, 3)
    return Result(check.name, trial.model or None, status, seconds, detail), raised


def mask(text: str, key: str | None) -> str:
    """Replace a key with *** where it stands as a whole, not where a word contains it."""
    if not key or len(key) < MASKED_CHARACTERS:
        return text
    return re.sub(rf"(?<![\w-]){re.escape(key)}(?![\w-])", "***", text)


def _list_models(endpoint: Endpoint, limit: int) -> list[str]:
    """Return the models that the endpoint lists. Empty if it fails to: another check reports that."""
    try:
        return [name for name in endpoint.models if "*" not in name][:limit]
    except Failure:
        return []
