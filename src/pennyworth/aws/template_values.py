"""What a template comes to with its parameters' values, as far as that is known before a deployment.

What only a deployment tells stands by its name: ${Function.Arn}. So do REGION, ACCOUNT and STACK, which a reader knows
and strangers need not.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pennyworth.aws.intrinsics import NOTHING, Evaluator

_PSEUDO: Mapping[str, Any] = {
    "AWS::NoValue": NOTHING,
    "AWS::AccountId": "ACCOUNT",
    "AWS::Region": "REGION",
    "AWS::StackName": "STACK",
    "AWS::StackId": "STACK-ID",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NotificationARNs": [],
}


class EvaluatedTemplate(Evaluator):
    """A template's resources with the conditions and intrinsic functions of their properties worked out."""

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        """
        Args:
            document: a template, after SAM's transform.
            parameters: the values of its parameters.
        """
        self.conditions = document.get("Conditions") or {}
        self.mappings = document.get("Mappings") or {}
        defaults = {
            name: given["Default"]
            for name, given in (document.get("Parameters") or {}).items()
            if "Default" in given
        }
        self._known: Mapping[str, Any] = {**defaults, **parameters, **_PSEUDO}
        resources: Mapping[str, Any] = document.get("Resources") or {}
        self.resources: dict[str, dict[str, Any]] = {
            name: {**resource, "Properties": self.evaluate(resource.get("Properties") or {})}
            for name, resource in resources.items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }
        """Those that the template makes with these values, by logical id."""

    def look_up(self, name: str) -> Sequence[Any]:
        """A parameter's value; anything else by its name."""
        return [self._known.get(name, f"${{{name}}}")]

    def render_unknown(self, function: str, given: Any) -> str:
        """The expression itself."""
        return f"${{{function} {json.dumps(given, sort_keys=True, default=str)}}}"

    def find_properties(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of some types, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] in kinds
        }
