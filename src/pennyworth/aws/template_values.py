"""What a template comes to with its parameters' values, as far as that is known before a deployment.

What only a deployment tells stands by its name: ${Function.Arn}. So do REGION, ACCOUNT and STACK, which a reader knows
and strangers need not.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_NOTHING = object()

_PSEUDO: dict[str, Any] = {
    "AWS::NoValue": _NOTHING,
    "AWS::AccountId": "ACCOUNT",
    "AWS::Region": "REGION",
    "AWS::StackName": "STACK",
    "AWS::StackId": "STACK-ID",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NotificationARNs": [],
}

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_LITERAL = re.compile(r"\$\{!([^}]*)\}")


class Evaluated:
    """A template's resources with the conditions and intrinsic functions of their properties worked out."""

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        """
        Args:
            document: a template, after SAM's transform.
            parameters: the values of its parameters.
        """
        self._conditions: Mapping[str, Any] = document.get("Conditions") or {}
        self._mappings: Mapping[str, Any] = document.get("Mappings") or {}
        defaults = {
            name: given["Default"]
            for name, given in (document.get("Parameters") or {}).items()
            if "Default" in given
        }
        self._parameters: Mapping[str, Any] = {**defaults, **parameters}
        resources: Mapping[str, Any] = document.get("Resources") or {}
        self.resources: dict[str, dict[str, Any]] = {
            name: {**resource, "Properties": self._resolved(resource.get("Properties") or {})}
            for name, resource in resources.items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }
        """Those that the template makes with these values, by logical id."""

    def of_type(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of some types, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] in kinds
        }

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for item in value if (found := self._resolved(item)) is not _NOTHING]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            (name, given), *_ = value.items()
            if function := _FUNCTIONS.get(name):
                return function(self, given)
            if name.startswith("Fn::"):
                return f"${{{name} {json.dumps(given, sort_keys=True, default=str)}}}"
        found = {name: self._resolved(given) for name, given in value.items()}
        return {name: given for name, given in found.items() if given is not _NOTHING}

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        return self._parameters.get(name, f"${{{name}}}")

    def _attribute(self, given: Any) -> str:
        return f"${{{given if isinstance(given, str) else '.'.join(map(str, given))}}}"

    def _sub(self, given: Any) -> str:
        text, variables = given if isinstance(given, list) else (given, {})

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                found = self._resolved(variables[name])
            else:
                found = self._attribute(name) if "." in name else self._ref(name)
            return "" if found is _NOTHING else str(found)

        return _LITERAL.sub(r"${\1}", _VARIABLE.sub(value, text))

    def _join(self, given: Any) -> str:
        parts = self._resolved(given[1])
        return str(given[0]).join(map(str, parts)) if isinstance(parts, list) else str(parts)

    def _if(self, given: Any) -> Any:
        return self._resolved(given[1] if self._holds(given[0]) else given[2])

    def _find(self, given: Any) -> Any:
        found: Any = self._mappings
        for key in self._resolved(given):
            if not isinstance(found, Mapping) or key not in found:
                return f"${{Fn::FindInMap {json.dumps(given, default=str)}}}"
            found = found[key]
        return self._resolved(found)

    def _select(self, given: Any) -> Any:
        items = self._resolved(given[1])
        at = int(self._resolved(given[0]))
        return items[at] if isinstance(items, list) and at < len(items) else f"${{{items}[{at}]}}"

    def _split(self, given: Any) -> list[str]:
        return str(self._resolved(given[1])).split(str(given[0]))

    def _holds(self, condition: Any) -> bool:
        """Whether a condition, by its name or written out, holds."""
        if isinstance(condition, str):
            return self._holds(self._conditions[condition])
        (name, given), *_ = condition.items()
        if name == "Condition":
            return self._holds(given)
        if name == "Fn::Equals":
            left, right = (str(self._resolved(side)) for side in given)
            return left == right
        if name == "Fn::Not":
            return not self._holds(given[0])
        return (all if name == "Fn::And" else any)(map(self._holds, given))


_FUNCTIONS: dict[str, Callable[[Evaluated, Any], Any]] = {
    "Ref": Evaluated._ref,
    "Fn::GetAtt": Evaluated._attribute,
    "Fn::Sub": Evaluated._sub,
    "Fn::Join": Evaluated._join,
    "Fn::If": Evaluated._if,
    "Fn::FindInMap": Evaluated._find,
    "Fn::Select": Evaluated._select,
    "Fn::Split": Evaluated._split,
}
