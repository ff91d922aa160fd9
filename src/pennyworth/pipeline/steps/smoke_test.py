"""Try the deployed endpoint as its users would, at the address that the stack's outputs name."""

from pathlib import Path

from pennyworth.checks.smoke.deployed_endpoint import (
    Inputs,
    Tried,
    make_failure,
    tried_as_markdown,
    try_stack,
    write_junit,
)
from pennyworth.github import actions

TITLE = "Smoke tests"


def run(environ: dict[str, str]) -> str:
    """Run the smoke tests. Sets the step's outputs `url-kind`, `passed` and `junit`.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was seen.
    Raises:
        OperationFailed: a check failed.
    """
    inputs = Inputs.of(environ)
    actions.mask(inputs.key)
    tried = try_stack(inputs)
    tell(tried, inputs.junit)
    if not tried.passed:
        raise make_failure(tried)
    return tried_as_markdown(tried)


def tell(tried: Tried, junit: Path | None) -> None:
    """Set the step's outputs, write the results into a file, and warn of a custom domain that was not tried."""
    if tried.place.lack:
        actions.warning(
            f"The custom domain is not tried: {tried.place.lack}",
            f"{tried.place.advice} The API URL is tried in its place.",
        )
    actions.output("url-kind", tried.place.kind)
    if junit:
        write_junit(tried, junit)
        actions.output("junit", str(junit))
    actions.output("passed", str(tried.passed).lower())
