"""The smoke tests of a deployed stack, at the address that its outputs name. Needs boto3.

That is the custom domain once its name resolves and its certificate is valid; until then the plain API URL, and why.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pennyworth import __version__
from pennyworth.aws.snapshot import Snapshot
from pennyworth.aws.stack import Stack
from pennyworth.checks import smoke
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import split_list

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
class Inputs:
    """Which stack is tried, and how."""

    stack: str
    region: str
    key: str = field(repr=False)
    """One of the endpoint's API keys."""
    models: Sequence[str] = ()
    """The models to ask; by default those that the endpoint lists."""
    skip: Sequence[str] = ()
    """Names of checks to leave out."""
    wait_seconds: float = 0.0
    """How long to wait for the custom domain, and for an answer at all."""
    require_domain: bool = False
    """Whether the API URL will not do."""
    long_seconds: float = 0.0
    """For how long a request must stay open; 0 leaves that out."""
    emulator: str = ""
    """The URL of an AWS emulator, where every domain is at one address and without TLS; empty for AWS."""
    junit: Path | None = None
    """Where the results go as JUnit's XML."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME, AWS_REGION and LITELLM_API_KEYS, the first of which is used; and, if
        wanted, MODELS and SKIP, comma-separated, WAIT_SECONDS, REQUIRE_DOMAIN, LONG_SECONDS and JUNIT.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        junit = environ.get("JUNIT", "")
        key, *_ = split_list(actions.required(environ, "LITELLM_API_KEYS"))
        return cls(
            key=key,
            models=split_list(environ.get("MODELS", "")),
            skip=split_list(environ.get("SKIP", "")),
            wait_seconds=actions.number(environ, "WAIT_SECONDS", 0),
            stack=actions.required(environ, "STACK_NAME"),
            region=actions.required(environ, "AWS_REGION"),
            require_domain=actions.asked(environ, "REQUIRE_DOMAIN", default=False),
            long_seconds=actions.number(environ, "LONG_SECONDS", 0),
            emulator=environ.get("AWS_ENDPOINT_URL", ""),
            junit=Path(junit) if junit else None,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the endpoint is tried."""

    endpoint: smoke.Endpoint
    url: str
    kind: Literal["custom-domain", "api"]
    lack: str = ""
    """Why it is not the custom domain, where there is one."""
    advice: str = ""
    """What a person can do about that."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How an endpoint answered."""

    place: Place
    results: list[smoke.Result]

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return smoke.passed(self.results)

    @property
    def failures(self) -> str:
        """Each check that failed, a line each."""
        failed = [result for result in self.results if result.status == "failed"]
        return "\n".join(f"{result.check}: {result.detail}" for result in failed)


def try_stack(inputs: Inputs) -> Tried:
    """Run the smoke tests.

    Raises:
        OperationFailed: there is no such check, no endpoint, or the custom domain that is required does not work.
    """
    if unknown := smoke.unknown(inputs.skip):
        raise OperationFailed(
            f"There is no smoke test called {', '.join(unknown)}",
            f"SKIP takes some of {', '.join(check.name for check in smoke.CHECKS)}.",
        )
    until = time.monotonic() + inputs.wait_seconds
    stack = Stack(inputs.stack, inputs.region).describe()
    if stack is None:
        raise _no_endpoint(inputs.stack)
    place = find_place(stack, inputs, until)
    results = smoke.run(
        place.endpoint,
        models=inputs.models,
        skip=inputs.skip,
        origin=_choose_origin(stack),
        wait=until - time.monotonic(),
        strict=True,
        long_seconds=inputs.long_seconds,
        report=lambda result: actions.say(smoke.line(result)),
        progress=lambda text: actions.say(f"· {text}"),
    )
    return Tried(place, results)


def find_place(stack: Snapshot, inputs: Inputs, until: float) -> Place:
    """Where to try it. Waits for the custom domain until then, and never longer.

    Raises:
        OperationFailed: there is no endpoint, or the custom domain that is required does not work.
    """
    domain, api = stack.outputs.get(_DOMAIN_OUTPUT), stack.outputs.get(_API_OUTPUT)
    if not (domain or api):
        raise _no_endpoint(stack.name)
    if inputs.require_domain and not domain:
        raise OperationFailed(
            f"The stack {stack.name} has no custom domain",
            "Set BASE_DOMAIN and ROUTE53_HOSTED_ZONE_ID and deploy it again, or don't require the domain.",
        )
    key = inputs.key
    if inputs.emulator or not domain:
        url = str(domain or api)
        endpoint = smoke.Endpoint.through(inputs.emulator, url, key)
        return Place(endpoint, url, "custom-domain" if domain else "api")
    endpoint = smoke.Endpoint(domain, key)
    with smoke.ticking("waiting for the custom domain", lambda text: actions.say(f"· {text}")):
        while (missing := endpoint.missing()) and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
    if missing is None:
        return Place(endpoint, domain, "custom-domain")
    lack, advice = _MISSING[missing.missing]
    if inputs.require_domain or not api:
        raise OperationFailed(f"The custom domain does not work: {lack}", advice)
    return Place(smoke.Endpoint(api, key), api, "api", lack, advice)


def write_junit(tried: Tried, path: Path) -> None:
    """Write JUnit's XML. It leaves the job unmasked, as a file, so where the endpoint is does not stand in it.

    Raises:
        OperationFailed: it can't be written.
    """
    place = tried.place
    hidden = [
        replace(result, detail=result.detail.replace(place.endpoint.host, "***")) for result in tried.results
    ]
    software = place.endpoint.software if any(result.status == "passed" for result in tried.results) else ""
    properties = {"url-kind": place.kind, "pennyworth": __version__, "software": software or "unknown"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(smoke.as_junit(hidden, properties), encoding="utf-8")
    except OSError as error:
        raise OperationFailed(
            "The results can't be written as JUnit's XML", f"{path}: {error.strerror}. Name another file."
        ) from error


def fail(tried: Tried) -> OperationFailed:
    """What is told of an endpoint that does not answer as it should."""
    return OperationFailed(
        "The endpoint does not answer as it should", "It stays deployed. What failed:", tried.failures
    )


def tried_as_markdown(tried: Tried) -> str:
    """What was seen, for a job's summary."""
    place = tried.place
    where = "the custom domain" if place.kind == "custom-domain" else "the API URL"
    why = f", as the custom domain can't be reached: {place.lack}. {place.advice}" if place.lack else ""
    return f"At {where} `{place.url}`{why}: {smoke.counted(tried.results)}.\n\n{smoke.as_markdown(tried.results)}"


def _choose_origin(stack: Snapshot) -> str:
    """An origin whose pages may call the endpoint."""
    allowed = split_list(stack.parameters.get("CorsAllowOrigins", ""))
    return next((origin for origin in allowed if origin != "*"), "https://example.com")


def _no_endpoint(stack: str) -> OperationFailed:
    return OperationFailed(
        f"The stack {stack} has no endpoint", "Deploy it first, with the template of this repository."
    )
