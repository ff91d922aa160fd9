"""Try the deployed endpoint as its users would, at the address that the stack's outputs name.

That is the custom domain once its name resolves and its certificate is valid; until then the plain API URL, with a
warning that says what is missing.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pennyworth import __version__
from pennyworth.aws.stack import Stack
from pennyworth.checks import smoke
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed

TITLE = "Smoke tests"

_PAUSE_SECONDS = 2.0
_DOMAIN_OUTPUT, _API_OUTPUT = "CustomDomainUrl", "ApiUrl"

# what a new custom domain may lack, and what a person can do about each
_MISSING = {
    "name": (
        "its DNS record is not there yet",
        "A new record takes minutes to be seen. If it stays so, see that your registrar names the hosted zone's name"
        " servers: `pennyworth doctor` asks.",
    ),
    "certificate": (
        "its certificate is not valid yet",
        "A new domain takes minutes. If it stays so, see that the certificate is issued for this name, and that"
        " nothing else serves it.",
    ),
    "answer": (
        "nothing answers there yet",
        "A new domain takes minutes. If it stays so, look at its DNS record.",
    ),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the endpoint is tried."""

    endpoint: smoke.Endpoint
    url: str
    kind: Literal["custom-domain", "api"]
    why: str = ""
    """Why it is not the custom domain, where there is one."""


def run(environ: dict[str, str]) -> str:
    """Run the smoke tests.

    Args:
        environ: STACK_NAME; AWS_REGION; LITELLM_API_KEYS, the first of which is used; and if wanted MODELS and
            SKIP, comma-separated; WAIT_SECONDS, for the custom domain and for an answer at all; REQUIRE_DOMAIN, true
            where the API URL will not do; LONG_SECONDS, for which a request must stay open; JUNIT, a file to write.
    Returns:
        what was seen.
    Raises:
        OperationFailed: a check failed.
    """
    key, *_ = _listed(actions.required(environ, "LITELLM_API_KEYS"))
    actions.mask(key)
    skip = _listed(environ.get("SKIP", ""))
    if unknown := smoke.unknown(skip):
        raise OperationFailed(
            f"There is no smoke test called {', '.join(unknown)}",
            f"SKIP takes some of {', '.join(check.name for check in smoke.CHECKS)}.",
        )
    until = time.monotonic() + actions.number(environ, "WAIT_SECONDS", 0)
    stack = Stack(actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION"))
    place = _place(stack, key, environ, until)
    results = smoke.run(
        place.endpoint,
        models=_listed(environ.get("MODELS", "")),
        skip=skip,
        origin=_origin(stack),
        wait=until - time.monotonic(),
        strict=True,
        long_seconds=actions.number(environ, "LONG_SECONDS", 0),
        report=lambda result: actions.say(smoke.line(result)),
        progress=lambda text: actions.say(f"· {text}"),
    )
    actions.output("url-kind", place.kind)
    actions.output("passed", str(smoke.passed(results)).lower())
    if junit := environ.get("JUNIT"):
        _write(Path(junit), results, place)
        actions.output("junit", junit)
    if not smoke.passed(results):
        failed = [result for result in results if result.status == "failed"]
        raise OperationFailed(
            "The endpoint does not answer as it should",
            "It stays deployed. What failed:",
            "\n".join(f"{result.check}: {result.detail}" for result in failed),
        )
    where = "the custom domain" if place.kind == "custom-domain" else "the API URL"
    return f"At {where} `{place.url}`{place.why}: {smoke.counted(results)}.\n\n{smoke.as_markdown(results)}"


def _place(stack: Stack, key: str, environ: Mapping[str, str], until: float) -> Place:
    """Where to try it; waits for the custom domain until then, and never longer."""
    outputs = stack.outputs()
    domain, api = outputs.get(_DOMAIN_OUTPUT), outputs.get(_API_OUTPUT)
    needed = actions.asked(environ, "REQUIRE_DOMAIN", default=False)
    if not (domain or api):
        raise OperationFailed(
            f"The stack {stack.name} has no endpoint",
            "Deploy it first, with the template of this repository.",
        )
    if needed and not domain:
        raise OperationFailed(
            f"The stack {stack.name} has no custom domain",
            "Set BASE_DOMAIN and ROUTE53_HOSTED_ZONE_ID and deploy it again, or don't require the domain.",
        )
    emulator = environ.get("AWS_ENDPOINT_URL", "")
    if emulator or not domain:
        url = str(domain or api)
        return Place(smoke.Endpoint.through(emulator, url, key), url, "custom-domain" if domain else "api")
    endpoint = smoke.Endpoint(domain, key)
    with smoke.ticking("waiting for the custom domain", lambda text: actions.say(f"· {text}")):
        while (missing := endpoint.missing()) and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
    if missing is None:
        return Place(endpoint, domain, "custom-domain")
    lack, advice = _MISSING[missing.missing]
    if needed or not api:
        raise OperationFailed(f"The custom domain does not work: {lack}", advice)
    actions.warning(f"The custom domain is not tried: {lack}", f"{advice} The API URL is tried in its place.")
    return Place(
        smoke.Endpoint(api, key), api, "api", f", as the custom domain can't be reached: {lack}. {advice}"
    )


def _origin(stack: Stack) -> str:
    """An origin whose pages may call the endpoint."""
    allowed = _listed(stack.parameters().get("CorsAllowOrigins", ""))
    return next((origin for origin in allowed if origin != "*"), "https://example.com")


def _write(path: Path, results: list[smoke.Result], place: Place) -> None:
    """Write JUnit's XML. It leaves the job unmasked, as a file, so where the endpoint is does not stand in it."""
    hidden = [replace(result, detail=result.detail.replace(place.endpoint.host, "***")) for result in results]
    software = place.endpoint.software if any(result.status == "passed" for result in results) else ""
    tried = {"url-kind": place.kind, "pennyworth": __version__, "software": software or "unknown"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(smoke.as_junit(hidden, tried), encoding="utf-8")
    except OSError as error:
        raise OperationFailed(
            "The results can't be written as JUnit's XML", f"{path}: {error.strerror}. Name another file."
        ) from error


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
