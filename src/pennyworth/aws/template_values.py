"""Evaluate a template with the values of its parameters, before a deployment.

Values that are known only after a deployment appear by name, such as ${Function.Arn}. The account, the region and the
stack appear as ACCOUNT, REGION and STACK, so that they do not become public.
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
    """A template's resources, with evaluated conditions and intrinsic functions."""

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, str], pseudo: Mapping[str, str] = {}
    ) -> None:
        """
        Args:
            document: a template, after SAM's transform.
            parameters: the values of its parameters.
            pseudo: the real values of pseudo parameters, such as AWS::StackName.
        """
        self.conditions = document.get("Conditions") or {}
        self.mappings = document.get("Mappings") or {}
        defaults = {
            name: given["Default"]
            for name, given in (document.get("Parameters") or {}).items()
            if "Default" in given
        }
        self._known: Mapping[str, Any] = {**defaults, **parameters, **_PSEUDO, **pseudo}
        resources: Mapping[str, Any] = document.get("Resources") or {}
        self.resources: dict[str, dict[str, Any]] = {
            name: {**resource, "Properties": self.evaluate(resource.get("Properties") or {})}
            for name, resource in resources.items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }
        """The resources that the template creates with these values, by logical ID."""

    def look_up(self, name: str) -> Sequence[Any]:
        """Return a parameter's value, or the name of anything else."""
        return [self._known.get(name, f"${{{name}}}")]

    def render_unknown(self, function: str, given: Any) -> str:
        """Render the expression itself."""
        return f"${{{function} {json.dumps(given, sort_keys=True, default=str)}}}"

    def find_properties(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """Find the properties of all resources of some types, by logical ID."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] in kinds
        }
