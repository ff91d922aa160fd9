"""Runs light smoke tests against the endpoint. They ask no model, so they cost no tokens."""

from pennyworth.checks import smoke
from pennyworth.checks.finding import Findings, ok, unhealthy, unknown
from pennyworth.checks.health.subject import Subject

LIGHT = ("health", "no-key", "wrong-key", "models", "malformed", "cors")
"""The smoke tests to run. None of them calls a provider."""
OF_A_KEY = ("models", "malformed")
"""The tests among them that need an API key."""

_TIMEOUT_SECONDS = 30.0


def check_endpoint(subject: Subject) -> Findings:
    """Check whether the endpoint answers as it should."""
    if not subject.base_url:
        yield unhealthy(
            "the stack has no endpoint",
            "Deploy this repository's template as this stack, or correct STACK_NAME.",
        )
        return
    origin = _origin(subject)
    left_out = {*(() if subject.key else OF_A_KEY), *(() if origin else ("cors",))}
    skip = [check.name for check in smoke.CHECKS if check.name not in LIGHT or check.name in left_out]
    there = smoke.Endpoint.through(subject.emulator, subject.base_url, subject.key, timeout=_TIMEOUT_SECONDS)
    if _is_denied(subject, there):
        yield unknown(
            "the stack's AllowedIps or WebAclArn refuse calls from this machine",
            "Add its address, or run the health check where calls are allowed (`runs-on`).",
        )
        return
    results = smoke.run(there, skip=skip, origin=origin, strict=True)
    failed = [result for result in results if result.status == "failed"]
    # the first call includes a cold start if nobody has called recently
    first = round(results[0].seconds * 1000)
    if failed:
        yield unhealthy(
            "{failed}",
            "Read the function's log, or run `pennyworth smoke URL` yourself. This check uses the first of"
            " LITELLM_API_KEYS.",
            {"up": 0},
            failed="\n".join(f"{result.check}: {result.detail}" for result in failed),
        )
        return
    passed = sum(result.status == "passed" for result in results)
    yield ok(
        f"{passed} light smoke tests passed; the first answer took {first} ms", {"up": 1, "first_ms": first}
    )


def _is_denied(subject: Subject, endpoint: smoke.Endpoint) -> bool:
    if not any(subject.parameters.get(name) for name in ("AllowedIps", "WebAclArn")):
        return False
    try:
        return endpoint.call("GET", "/health").is_denied()
    except smoke.Unreachable:
        return False  # for the tests to tell


def _origin(subject: Subject) -> str:
    """Return an origin whose pages may call the endpoint; empty if none may."""
    first = subject.parameters.get("CorsAllowOrigins", "*").partition(",")[0].strip()
    return "https://example.com" if first == "*" else first
