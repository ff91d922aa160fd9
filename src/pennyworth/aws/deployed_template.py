"""The template of a deployed stack, with the parameters that it was deployed with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.aws.snapshot import describe_stack
from pennyworth.aws.source_template import SourceTemplate

_NEVER_MADE = frozenset({"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"})
_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)


@dataclass(frozen=True, slots=True)
class DeployedTemplate:
    """What a stack that is there was made from."""

    status: str
    parameters: Mapping[str, str]
    """Its parameters' values, hidden ones as CloudFormation shows them."""
    source: SourceTemplate
    """Its template as it was handed over, before SAM's transform."""

    @property
    def updatable(self) -> bool:
        """Whether it takes a deployment at all."""
        return self.status in _UPDATABLE


def fetch_deployed_template(cloudformation: Any, name: str) -> DeployedTemplate | None:
    """What the stack of a name was made from; None where there is none, or one that never came to be."""
    stack = describe_stack(cloudformation, name)
    if stack is None or stack.status in _NEVER_MADE:
        return None
    body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    text = body if isinstance(body, str) else json.dumps(body)  # boto reads one that is JSON
    return DeployedTemplate(stack.status, stack.parameters, SourceTemplate.parse(text))
