"""Try the deployed endpoint as its users would, at the address that the stack's outputs name."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from pennyworth.pipeline import smoke, workflow
from pennyworth.pipeline.stack import Stack

TITLE = "Smoke tests"


def run(environ: dict[str, str]) -> str:
    """Run the smoke tests.

    Args:
        environ: STACK_NAME; AWS_REGION; LITELLM_API_KEYS, the first of which is used; and if wanted MODELS and
            SKIP, comma-separated, and WAIT_SECONDS.
    Returns:
        what was seen.
    Raises:
        StepFailed: a check failed.
    """
    key, *_ = _listed(workflow.required(environ, "LITELLM_API_KEYS"))
    workflow.mask(key)
    stack = Stack(workflow.required(environ, "STACK_NAME"), workflow.required(environ, "AWS_REGION"))
    outputs = stack.outputs()
    if not (base_url := outputs.get("CustomDomainUrl") or outputs.get("ApiUrl")):
        raise workflow.StepFailed(
            f"The stack {stack.name} has no endpoint",
            "Deploy it first, with the template of this repository.",
        )
    results = smoke.run(
        _endpoint(base_url, key, environ),
        models=_listed(environ.get("MODELS", "")),
        skip=_listed(environ.get("SKIP", "")),
        wait=float(environ.get("WAIT_SECONDS") or 0),
        report=lambda result: workflow.say(
            f"{smoke.MARKS[result.status]} {result.check} {result.model or ''} {result.detail}".rstrip()
        ),
    )
    report = smoke.as_markdown(results)
    if not smoke.passed(results):
        failed = [result for result in results if result.status == "failed"]
        raise workflow.StepFailed(
            "The endpoint does not answer as it should",
            "It stays deployed. What failed:",
            "\n".join(f"{result.check}: {result.detail}" for result in failed),
        )
    return f"At `{base_url}`:\n\n{report}"


def _endpoint(base_url: str, key: str, environ: Mapping[str, str]) -> smoke.Endpoint:
    """The endpoint; of an AWS emulator's (AWS_ENDPOINT_URL) every domain is at one address, and without TLS."""
    emulator = urlsplit(environ.get("AWS_ENDPOINT_URL", ""))
    if not emulator.hostname:
        return smoke.Endpoint(base_url, key)
    connect = (emulator.hostname, emulator.port or 80)
    return smoke.Endpoint(base_url.replace("https://", "http://", 1), key, connect=connect)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
