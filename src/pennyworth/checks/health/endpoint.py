"""The endpoint itself, tried lightly: nothing of it asks a model, so it costs no token."""

from pennyworth.checks import smoke
from pennyworth.checks.finding import Findings, ok, unhealthy
from pennyworth.checks.health.subject import Subject

LIGHT = ("health", "no-key", "wrong-key", "models", "malformed", "cors")
"""The smoke tests that are run. None of them reaches a provider."""
OF_A_KEY = ("models", "malformed")
"""Those that need a key."""

_TIMEOUT_SECONDS = 30.0


def check_endpoint(subject: Subject) -> Findings:
    """Whether it answers as it should."""
    if not subject.base_url:
        yield unhealthy("the stack has no endpoint", "Deploy it with this repository's template.")
        return
    origin = _origin(subject)
    left_out = {*(() if subject.key else OF_A_KEY), *(() if origin else ("cors",))}
    skip = [check.name for check in smoke.CHECKS if check.name not in LIGHT or check.name in left_out]
    there = smoke.Endpoint.through(subject.emulator, subject.base_url, subject.key, timeout=_TIMEOUT_SECONDS)
    results = smoke.run(there, skip=skip, origin=origin, strict=True)
    failed = [result for result in results if result.status == "failed"]
    # the first call wakes the function where nobody called lately
    first = round(results[0].seconds * 1000)
    if failed:
        yield unhealthy(
            "{failed}",
            "Look into the function's log, or try it yourself: `pennyworth smoke URL`. The key is the first of"
            " LITELLM_API_KEYS.",
            {"up": 0},
            failed="\n".join(f"{result.check}: {result.detail}" for result in failed),
        )
        return
    passed = sum(result.status == "passed" for result in results)
    yield ok(
        f"{passed} light checks passed; the first answer came after {first} ms", {"up": 1, "first_ms": first}
    )


def _origin(subject: Subject) -> str:
    """An origin whose pages may call it; empty where there is none."""
    first = subject.parameters.get("CorsAllowOrigins", "*").partition(",")[0].strip()
    return "https://example.com" if first == "*" else first
