"""A transformed template, and the possible values of its properties before a deployment."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pennyworth.aws.intrinsics import NOTHING, Evaluator
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.iam.policy.rules import Rules, Type

UNKNOWN = "*"
"""Stands for a value, or a part of one, that is known only after a deployment."""

_PSEUDO: Mapping[str, Any] = {
    "AWS::NoValue": NOTHING,
    "AWS::AccountId": "${ACCOUNT_ID}",
    "AWS::Partition": "${PARTITION}",
    "AWS::Region": "${REGION}",
    "AWS::StackName": "${STACK_NAME}",
}


class Template:
    """All resources that a template may create, whatever its parameters are."""

    def __init__(self, source: SourceTemplate, rules: Rules) -> None:
        """
        Args:
            source: the template, before SAM's transform.
            rules: the placeholders of parameters, and the naming of resource types.
        Raises:
            TemplateRefused: SAM's transform rejects the template.
        """
        self._rules = rules
        known = {**rules.parameters, **{name: one for name, one in _PSEUDO.items() if one is not NOTHING}}
        resources: dict[str, Mapping[str, Any]] = {}
        for variant in ({}, *rules.variants):
            resources = {**source.transform({**known, **variant})["Resources"], **resources}
        self.resources: Mapping[str, Mapping[str, Any]] = resources
        self._evaluator = _Possible(self._resolve)

    def get_type(self, logical_id: str) -> str:
        """Return a resource's type, such as AWS::Lambda::Function."""
        return str(self.resources[logical_id]["Type"])

    def get_properties(self, logical_id: str) -> Mapping[str, Any]:
        """Return a resource's properties, unevaluated."""
        found: Mapping[str, Any] = self.resources[logical_id].get("Properties") or {}
        return found

    def evaluate(self, value: Any) -> set[str]:
        """List the possible values of a property: one for each branch of Fn::If and each item of a list.

        Args:
            value: the property's value in the template.
        Returns:
            the values, with placeholders such as ${REGION}, and UNKNOWN for what is known only after a deployment.
        """
        if isinstance(value, list):
            return set(itertools.chain.from_iterable(map(self.evaluate, value)))
        found: set[str] = set()
        for one in self._evaluator.list_alternatives(value):
            if isinstance(one, list):
                found |= self.evaluate(one)
            elif one is not NOTHING:
                found.add(UNKNOWN if isinstance(one, Mapping) else str(one))
        return found

    def list_names(self, logical_id: str) -> set[str]:
        """List the possible names of a resource."""
        kind = self._rules.types.get(self.get_type(logical_id))
        properties = self.get_properties(logical_id)
        if kind and kind.name and kind.name in properties:
            return self.evaluate(properties[kind.name])
        return {kind.generated if kind and kind.generated else UNKNOWN}

    def fill_scope(self, text: str, logical_id: str) -> set[str]:
        """Fill each {Property} of a scope's text with the resource's values, where they are known."""
        kind = self._rules.types[self.get_type(logical_id)]
        return set(fill_properties(text, lambda name: self._find_values(name, logical_id, kind)))

    def _find_values(self, name: str, logical_id: str, kind: Type) -> set[str]:
        name = kind.aliases.get(name, name)
        properties = self.get_properties(logical_id)
        if name == kind.name and name not in properties:
            return self.list_names(logical_id)
        return self.evaluate(properties[name]) if name in properties else {UNKNOWN}

    def _resolve(self, name: str) -> list[Any]:
        """List the possible values of a name in the template."""
        if name in _PSEUDO:
            return [_PSEUDO[name]]
        if name in self._rules.parameters:
            return [self._rules.parameters[name]]
        resource, _, attribute = name.partition(".")
        if resource not in self.resources:
            return [UNKNOWN]
        if not attribute:
            return sorted(self.list_names(resource))
        kind = self._rules.types.get(self.get_type(resource))
        if attribute != "Arn" or not kind:
            return [UNKNOWN]
        return sorted(self.fill_scope(self._rules.scopes[kind.scope].resources[-1], resource))


class _Possible(Evaluator):
    """Evaluates a value to all its possible values, with both outcomes of each condition."""

    def __init__(self, names: Callable[[str], Sequence[Any]]) -> None:
        self._names = names

    def look_up(self, name: str) -> Sequence[Any]:
        return self._names(name)

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        return (True, False)

    def render_unknown(self, function: str, given: Any) -> str:
        return UNKNOWN


def fill_properties(text: str, values: Any) -> Iterator[str]:
    """Fill each {Property} of a scope's text.

    Args:
        text: a resource or condition value of a scope.
        values: a function that returns the values of a property by its name.
    Returns:
        a text for each combination of values. Values that are completely unknown are left out. If a value is an ARN
        and only a part of the text, only the ARN's last part is used.
    """

    def find_values(name: str) -> set[str]:
        found = values(name)
        if text == f"{{{name}}}":
            return set(found)
        return {re.split(r"[:/]", value)[-1] if value.startswith("arn:") else value for value in found}

    for candidate in _combine(_PROPERTY, text, lambda name: find_values(name) - {UNKNOWN}):
        yield re.sub(r"^arn:aws:", "arn:${PARTITION}:", candidate)


_PROPERTY = re.compile(r"(?<!\$)\{(\w+)\}")


def _combine(pattern: re.Pattern[str], text: str, values: Any) -> Iterator[str]:
    """Replace the matches of a pattern, once for each combination of their values."""
    found = list(dict.fromkeys(pattern.findall(text)))
    for chosen in itertools.product(*(sorted(values(name)) for name in found)):
        replaced = dict(zip(found, chosen, strict=True))
        yield pattern.sub(lambda match, by=replaced: by[match[1]], text)  # type: ignore[misc]
