"""Make a change set for approval and show it, check that it is still what was approved, or discard it."""

from collections.abc import Callable, Mapping

from pennyworth.github import actions
from pennyworth.github.job_report import Report
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.approval.change_set import (
    Inputs,
    check_change_set,
    discard_change_set,
    make_change_set,
)
from pennyworth.pipeline.deploy.deployment import NOTHING
from pennyworth.pipeline.preview import as_markdown, render_headline

TITLE = "Change set"


def run(environ: dict[str, str]) -> Report:
    """Make, check or discard a change set. Sets the step's outputs `change-set` and `template`.

    Args:
        environ: see `Inputs.of`; and OPERATION: make, check or discard.
    Returns:
        what it would change, or what became of it.
    Raises:
        OperationFailed: there is no such operation, or it is not possible.
    """
    operation = actions.required(environ, "OPERATION")
    if operation not in _OPERATIONS:
        raise OperationFailed(f"operation is {operation!r}", f"It is one of {', '.join(_OPERATIONS)}.")
    inputs = Inputs.of(environ)
    for secret in inputs.secrets():
        actions.mask(secret)
    return _OPERATIONS[operation](inputs)


def _make(inputs: Inputs) -> Report:
    name, found = make_change_set(inputs)
    actions.output("change-set", name)
    if name == NOTHING:
        text = "There is nothing to change in the stack. Credentials may still differ."
        return Report(text, "Nothing to change in the stack")
    return Report(
        f"Change set `{name}`, not yet executed.\n\n{as_markdown(found)}",
        f"A change set waits for approval: {render_headline(found)}",
    )


def _check(inputs: Inputs) -> Report:
    template = check_change_set(inputs)
    actions.output("change-set", inputs.name)
    actions.output("template", str(template or ""))
    return Report(
        f"`{inputs.name}` is as it was approved: the stack, the settings and the package have not changed since."
    )


def _discard(inputs: Inputs) -> Report:
    discard_change_set(inputs)
    return Report(f"`{inputs.name}` was not executed, and is deleted.", "The change set is discarded")


_OPERATIONS: Mapping[str, Callable[[Inputs], Report]] = {"make": _make, "check": _check, "discard": _discard}
