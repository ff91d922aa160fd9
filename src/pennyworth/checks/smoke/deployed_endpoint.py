"""Runs the smoke tests against a deployed stack. Needs boto3.

They use the custom domain if its name resolves and its certificate is valid. If not, they use the plain API URL
and report why.
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
from pennyworth.gateway.credentials import API_KEYS, read_api_keys
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import split_list

_PAUSE_SECONDS = 2.0
_DOMAIN_OUTPUT, _API_OUTPUT = "CustomDomainUrl", "ApiUrl"

# what a new custom domain may lack, and what to do about it
_MISSING = {
    "name": (
        "its name does not resolve yet",
        "A new DNS record takes some minutes. If it still does not resolve, set the hosted zone's name servers at your"
        " registrar. `pennyworth doctor` checks this.",
    ),
    "certificate": (
        "its certificate is not valid yet",
        "A new domain takes some minutes. If it stays invalid, check that the certificate is issued for this name, and"
        " that the name points to this API.",
    ),
    "answer": (
        "nothing answers there yet",
        "A new domain takes some minutes. If it still does not answer, check its DNS record.",
    ),
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which stack to test, and how."""

    stack: str
    region: str
    key: str = field(repr=False)
    """One of the endpoint's API keys."""
    models: Sequence[str] = ()
    """The models to ask. Empty: those that the endpoint lists."""
    skip: Sequence[str] = ()
    """Names of checks to skip."""
    wait_seconds: float = 0.0
    """How many seconds to wait for the custom domain and for the first answer."""
    require_domain: bool = False
    """Whether to fail instead of using the API URL."""
    long_seconds: float = 0.0
    """How many seconds a request must stay open. 0: skip this check."""
    emulator: str = ""
    """The URL of an AWS emulator, which serves every domain at one address without TLS. Empty: AWS."""
    junit: Path | None = None
    """The file to write the results to as JUnit XML, if any."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """Read the inputs from a step's environment.

        STACK_NAME, AWS_REGION and LITELLM_API_KEYS are required; the first key is used. Optional: MODELS and
        SKIP (comma-separated), WAIT_SECONDS, REQUIRE_DOMAIN (true or false), LONG_SECONDS and JUNIT (a file).

        Raises:
            OperationFailed: a variable is missing or wrong.
        """
        junit = environ.get("JUNIT", "")
        keys = read_api_keys(actions.required(environ, API_KEYS)).keys
        if not keys:
            raise OperationFailed(f"{API_KEYS} contains no key", "Set it to the endpoint's API keys.")
        return cls(
            key=keys[0],
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
    """The address at which the endpoint is tested."""

    endpoint: smoke.Endpoint
    url: str
    kind: Literal["custom-domain", "api"]
    lack: str = ""
    """Why it is not the custom domain, although there is one."""
    advice: str = ""
    """What to do about that."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The results of the smoke tests."""

    place: Place
    results: list[smoke.Result]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return smoke.all_passed(self.results)

    @property
    def failures(self) -> str:
        """The checks that failed, one per line."""
        failed = [result for result in self.results if result.status == "failed"]
        return "\n".join(f"{result.check}: {result.detail}" for result in failed)


def try_stack(inputs: Inputs) -> Tried:
    """Run the smoke tests against a stack.

    Raises:
        OperationFailed: a check to skip does not exist, the stack has no endpoint, or the required custom
            domain does not work.
    """
    if unknown := smoke.find_unknown(inputs.skip):
        raise OperationFailed(
            f"There is no smoke test named {', '.join(unknown)}",
            f"The smoke tests are: {', '.join(check.name for check in smoke.CHECKS)}.",
        )
    until = time.monotonic() + inputs.wait_seconds
    stack = Stack(inputs.stack, inputs.region).describe()
    if stack is None:
        raise _make_no_endpoint_error(inputs.stack)
    place = find_place(stack, inputs, until)
    results = smoke.run(
        place.endpoint,
        models=inputs.models,
        skip=inputs.skip,
        origin=_choose_origin(stack),
        wait=until - time.monotonic(),
        strict=True,
        long_seconds=inputs.long_seconds,
        report=lambda result: actions.say(smoke.format_line(result)),
        progress=lambda text: actions.say(f"· {text}"),
    )
    return Tried(place, results)


def find_place(stack: Snapshot, inputs: Inputs, until: float) -> Place:
    """Choose the address to test. Waits for the custom domain if necessary.

    Args:
        stack: the deployed stack.
        inputs: how to test it.
        until: how long to wait, as time.monotonic().
    Raises:
        OperationFailed: the stack has no endpoint, or the required custom domain does not work.
    """
    domain, api = stack.outputs.get(_DOMAIN_OUTPUT), stack.outputs.get(_API_OUTPUT)
    if not (domain or api):
        raise _make_no_endpoint_error(stack.name)
    if inputs.require_domain and not domain:
        raise OperationFailed(
            f"The stack {stack.name} has no custom domain",
            "Set BASE_DOMAIN and ROUTE53_HOSTED_ZONE_ID and deploy again, or set require-domain to false.",
        )
    key = inputs.key
    if inputs.emulator or not domain:
        url = str(domain or api)
        endpoint = smoke.Endpoint.through(inputs.emulator, url, key)
        return Place(endpoint, url, "custom-domain" if domain else "api")
    endpoint = smoke.Endpoint(domain, key)
    with smoke.report_progress("waiting for the custom domain", lambda text: actions.say(f"· {text}")):
        while (missing := endpoint.diagnose()) and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
    if missing is None:
        return Place(endpoint, domain, "custom-domain")
    lack, advice = _MISSING[missing.missing]
    if not api:
        advice += (
            " Until the domain works, deploy with ExecuteApiEndpoint=yes: the tests then use the API URL."
        )
    if inputs.require_domain or not api:
        raise OperationFailed(f"The custom domain does not work: {lack}", advice)
    return Place(smoke.Endpoint(api, key), api, "api", lack, advice)


def write_junit(tried: Tried, path: Path) -> None:
    """Write the results as JUnit XML, without the endpoint's address: GitHub does not mask files.

    Raises:
        OperationFailed: the file can't be written.
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
            "The JUnit XML file can't be written", f"{path}: {error.strerror}. Choose another file."
        ) from error


def make_failure(tried: Tried) -> OperationFailed:
    """Return the error for an endpoint that failed smoke tests."""
    return OperationFailed(
        "The endpoint failed smoke tests", "It stays deployed. The failures:", tried.failures
    )


def tried_as_markdown(tried: Tried) -> str:
    """Return the results as Markdown for a job summary."""
    place = tried.place
    where = "the custom domain" if place.kind == "custom-domain" else "the API URL"
    why = f", because the custom domain does not work: {place.lack}. {place.advice}" if place.lack else ""
    return f"Tested {where} `{place.url}`{why}: {smoke.summarize(tried.results)}.\n\n{smoke.as_markdown(tried.results)}"


def _choose_origin(stack: Snapshot) -> str:
    """Return an origin whose pages may call the endpoint."""
    allowed = split_list(stack.parameters.get("CorsAllowOrigins", ""))
    return next((origin for origin in allowed if origin != "*"), "https://example.com")


def _make_no_endpoint_error(stack: str) -> OperationFailed:
    return OperationFailed(
        f"The stack {stack} has no endpoint",
        "Deploy this repository's template as this stack, or correct STACK_NAME.",
    )
