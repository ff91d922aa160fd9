"""The template and the parameters of a deployed stack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.aws.snapshot import describe_stack
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_states import Then, get_state


@dataclass(frozen=True, slots=True)
class DeployedTemplate:
    """The template and the parameters of a stack."""

    status: str
    parameters: Mapping[str, str]
    """The parameters' values. NoEcho parameters have the value ****."""
    source: SourceTemplate
    """The original template, before SAM's transform."""

    @property
    def updatable(self) -> bool:
        """Whether the stack can be updated in its current state."""
        return get_state(self.status).then is Then.DEPLOY


def fetch_deployed_template(cloudformation: Any, name: str) -> DeployedTemplate | None:
    """Fetch the template and the parameters of a stack.

    Args:
        cloudformation: the boto3 client for CloudFormation.
        name: the stack's name.
    Returns:
        the deployed template; None if the stack does not exist or its creation failed.
    """
    stack = describe_stack(cloudformation, name)
    if stack is None or not stack.state.deployed:
        return None
    body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    text = body if isinstance(body, str) else json.dumps(body)  # boto3 parses JSON templates
    return DeployedTemplate(stack.status, stack.parameters, SourceTemplate.parse(text))
