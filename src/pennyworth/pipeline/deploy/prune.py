"""The function's old versions, which Lambda would keep for ever and which count against its storage."""

from collections.abc import Mapping
from dataclasses import dataclass

from pennyworth.aws.function_versions import find_function
from pennyworth.aws.stack import Stack
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed

_KEEP = 5


@dataclass(frozen=True, slots=True)
class Inputs:
    """Whose versions go, and how many stay."""

    stack: str
    region: str
    keep: int = _KEEP
    """How many of the newest stay, at least 1."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME, AWS_REGION and, if wanted, KEEP_VERSIONS.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        keep = int(actions.number(environ, "KEEP_VERSIONS", _KEEP))
        if keep < 1:
            raise OperationFailed("KEEP_VERSIONS is 0", "It is at least 1: the version that serves.")
        return cls(actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION"), keep)


def prune_versions(inputs: Inputs) -> list[str]:
    """Delete all but the newest; the numbers of those that are gone.

    Raises:
        OperationFailed: it may not be done.
    """
    function = find_function(Stack(inputs.stack, inputs.region).describe())
    return function.prune(inputs.keep) if function else []
