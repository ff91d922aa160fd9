"""What is deployed, as far as a preview compares with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

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
class Deployed:
    """A stack that is there."""

    status: str
    parameters: Mapping[str, str]
    """Its parameters' values, hidden ones as CloudFormation shows them."""
    text: str
    """Its template as it was handed over, before SAM's transform."""
    template: dict[str, Any]
    """The same, read."""

    @property
    def updatable(self) -> bool:
        """Whether it takes a deployment at all."""
        return self.status in _UPDATABLE


def deployed(cloudformation: Any, name: str) -> Deployed | None:
    """The stack of a name; None where there is none, or one that never came to be."""
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as failure:
        if "does not exist" in str(failure):
            return None
        raise
    if found["StackStatus"] in _NEVER_MADE:
        return None
    body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    text = body if isinstance(body, str) else json.dumps(body)  # boto reads one that is JSON
    parameters = {
        given["ParameterKey"]: given.get("ParameterValue", "") for given in found.get("Parameters", [])
    }
    return Deployed(found["StackStatus"], parameters, text, yaml_parse(text))
