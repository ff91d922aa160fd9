"""A template as CloudFormation gets it, and what its properties come to as far as that is known before a deployment."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pennyworth.aws.intrinsics import NOTHING, Evaluator
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.iam.policy.rules import Rules, Type

UNKNOWN = "*"
"""What stands for a value, or a part of one, that only a deployment tells."""

_PSEUDO: Mapping[str, Any] = {
    "AWS::NoValue": NOTHING,
    "AWS::AccountId": "${ACCOUNT_ID}",
    "AWS::Partition": "${PARTITION}",
    "AWS::Region": "${REGION}",
    "AWS::StackName": "${STACK_NAME}",
}


class Template:
    """The resources that CloudFormation makes of a template, whatever its parameters are."""

    def __init__(self, source: SourceTemplate, rules: Rules) -> None:
        """
        Args:
            source: the template as it is written.
            rules: what the documents call parameters, and how resource types name what they make.
        Raises:
            TemplateRefused: SAM's transform refuses it.
        """
        self._rules = rules
        known = {**rules.parameters, **{name: one for name, one in _PSEUDO.items() if one is not NOTHING}}
        resources: dict[str, Mapping[str, Any]] = {}
        for variant in ({}, *rules.variants):
            resources = {**source.transform({**known, **variant})["Resources"], **resources}
        self.resources: Mapping[str, Mapping[str, Any]] = resources
        self._evaluator = _Possible(self._resolve)

    def get_type(self, logical_id: str) -> str:
        """A resource's type, such as AWS::Lambda::Function."""
        return str(self.resources[logical_id]["Type"])

    def get_properties(self, logical_id: str) -> Mapping[str, Any]:
        """A resource's properties as the template has them."""
        found: Mapping[str, Any] = self.resources[logical_id].get("Properties") or {}
        return found

    def evaluate(self, value: Any) -> set[str]:
        """What a property's value may come to: one for each branch of Fn::If and each entry of a list.

        Names that the documents know stand as `${...}`, and UNKNOWN for whatever only a deployment tells.
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
        """What a resource is or will be called."""
        kind = self._rules.types.get(self.get_type(logical_id))
        properties = self.get_properties(logical_id)
        if kind and kind.name and kind.name in properties:
            return self.evaluate(properties[kind.name])
        return {kind.generated if kind and kind.generated else UNKNOWN}

    def fill_scope(self, text: str, logical_id: str) -> set[str]:
        """A scope's text with a resource's properties in place of each {Property}; UNKNOWN where nobody knows it."""
        kind = self._rules.types[self.get_type(logical_id)]
        return set(fill_properties(text, lambda name: self._find_values(name, logical_id, kind)))

    def _find_values(self, name: str, logical_id: str, kind: Type) -> set[str]:
        name = kind.aliases.get(name, name)
        properties = self.get_properties(logical_id)
        if name == kind.name and name not in properties:
            return self.list_names(logical_id)
        return self.evaluate(properties[name]) if name in properties else {UNKNOWN}

    def _resolve(self, name: str) -> list[Any]:
        """What a name in the template may come to."""
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
    """Works out all that a value may come to: one value for each branch of a condition."""

    def __init__(self, names: Callable[[str], Sequence[Any]]) -> None:
        self._names = names

    def look_up(self, name: str) -> Sequence[Any]:
        return self._names(name)

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        return (True, False)

    def render_unknown(self, function: str, given: Any) -> str:
        return UNKNOWN


def fill_properties(text: str, values: Any) -> Iterator[str]:
    """A scope's text with a value in place of each {Property}, once for each of its values.

    Args:
        text: one of a scope's resources or values.
        values: a function from the property's name to its values. One that is wholly unknown leaves nothing of the
            text, and of an ARN only its last part goes into another one.
    """

    def parts(name: str) -> set[str]:
        found = values(name)
        if text == f"{{{name}}}":
            return set(found)
        return {re.split(r"[:/]", value)[-1] if value.startswith("arn:") else value for value in found}

    for candidate in _combine(_PROPERTY, text, lambda name: parts(name) - {UNKNOWN}):
        yield re.sub(r"^arn:aws:", "arn:${PARTITION}:", candidate)


_PROPERTY = re.compile(r"(?<!\$)\{(\w+)\}")


def _combine(pattern: re.Pattern[str], text: str, values: Any) -> Iterator[str]:
    """A text for each combination of the values of what a pattern finds in it."""
    found = list(dict.fromkeys(pattern.findall(text)))
    for chosen in itertools.product(*(sorted(values(name)) for name in found)):
        replaced = dict(zip(found, chosen, strict=True))
        yield pattern.sub(lambda match, by=replaced: by[match[1]], text)  # type: ignore[misc]
