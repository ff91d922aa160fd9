"""A template as CloudFormation gets it, and what its properties come to as far as that is known before a deployment."""

import itertools
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pennyworth.iam.policy.rules import Rules, Type

UNKNOWN = "*"
"""What stands for a value, or a part of one, that only a deployment tells."""

_TRANSFORM = "AWS::Serverless-2016-10-31"

_LOCATIONS = ("CodeUri", "ContentUri", "DefinitionUri")
"""Where a template may name a folder, which is uploaded before SAM's transform sees it."""

_PSEUDO = {
    "AWS::AccountId": "${ACCOUNT_ID}",
    "AWS::Partition": "${PARTITION}",
    "AWS::Region": "${REGION}",
    "AWS::StackName": "${STACK_NAME}",
}

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class TemplateRefused(Exception):
    """A template can't be read, or nobody could write a policy for it; says why and what to do."""


class Template:
    """The resources that CloudFormation makes of a template, whatever its parameters are."""

    def __init__(self, path: Path, rules: Rules) -> None:
        """
        Args:
            path: a CloudFormation or SAM template, built or not.
            rules: what the documents call parameters, and how resource types name what they make.
        Raises:
            TemplateRefused: it can't be read.
        """
        self._rules = rules
        known = {**rules.parameters, **_PSEUDO}
        resources: dict[str, Mapping[str, Any]] = {}
        for form in ({}, *rules.forms):
            resources = {**transformed(path, {**known, **form})["Resources"], **resources}
        self.resources: Mapping[str, Mapping[str, Any]] = resources

    def type(self, logical_id: str) -> str:
        """A resource's type, such as AWS::Lambda::Function."""
        return str(self.resources[logical_id]["Type"])

    def properties(self, logical_id: str) -> Mapping[str, Any]:
        """A resource's properties as the template has them."""
        found: Mapping[str, Any] = self.resources[logical_id].get("Properties") or {}
        return found

    def values(self, value: Any) -> set[str]:
        """What a property's value may come to: one for each branch of Fn::If and each entry of a list.

        Names that the documents know stand as `${...}`, and UNKNOWN for whatever only a deployment tells.
        """
        if isinstance(value, list):
            return set(itertools.chain.from_iterable(map(self.values, value)))
        if not isinstance(value, Mapping):
            return {str(value)}
        if len(value) == 1:
            (function, given), *_ = value.items()
            if function == "Ref":
                return self._referred(given)
            if function == "Fn::GetAtt":
                return self._attribute(given)
            if function == "Fn::If":
                return self.values(given[1:])
            if function == "Fn::Sub":
                return self._substituted(*(given if isinstance(given, list) else (given, {})))
            if function == "Fn::Join":
                return {given[0].join(parts) for parts in itertools.product(*map(self.values, given[1]))}
        return {UNKNOWN}

    def names(self, logical_id: str) -> set[str]:
        """What a resource is or will be called."""
        kind = self._rules.types.get(self.type(logical_id))
        properties = self.properties(logical_id)
        if kind and kind.name and kind.name in properties:
            return self.values(properties[kind.name])
        return {kind.generated if kind and kind.generated else UNKNOWN}

    def filled(self, text: str, logical_id: str) -> set[str]:
        """A scope's text with a resource's properties in place of each {Property}; UNKNOWN where nobody knows it."""
        kind = self._rules.types[self.type(logical_id)]
        return set(fill(text, lambda name: self._named(name, logical_id, kind)))

    def _named(self, name: str, logical_id: str, kind: Type) -> set[str]:
        name = kind.refers.get(name, name)
        properties = self.properties(logical_id)
        if name == kind.name and name not in properties:
            return self.names(logical_id)
        return self.values(properties[name]) if name in properties else {UNKNOWN}

    def _referred(self, name: str) -> set[str]:
        if name == "AWS::NoValue":
            return set()
        if name in _PSEUDO:
            return {_PSEUDO[name]}
        if name in self._rules.parameters:
            return {self._rules.parameters[name]}
        return self.names(name) if name in self.resources else {UNKNOWN}

    def _attribute(self, given: str | list[str]) -> set[str]:
        name, _, attribute = given.partition(".") if isinstance(given, str) else (given[0], "", given[1])
        kind = self._rules.types.get(self.type(name)) if name in self.resources else None
        if attribute != "Arn" or not kind:
            return {UNKNOWN}
        return self.filled(self._rules.scopes[kind.scope].resources[-1], name)

    def _substituted(self, text: str, variables: Mapping[str, Any]) -> set[str]:
        def values(name: str) -> set[str]:
            if name in variables:
                return self.values(variables[name])
            return self._attribute(name) if "." in name else self._referred(name)

        return set(_combined(_VARIABLE, text, values))


def fill(text: str, values: Any) -> Iterator[str]:
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

    for candidate in _combined(_PROPERTY, text, lambda name: parts(name) - {UNKNOWN}):
        yield re.sub(r"^arn:aws:", "arn:${PARTITION}:", candidate)


_PROPERTY = re.compile(r"(?<!\$)\{(\w+)\}")


def _combined(pattern: re.Pattern[str], text: str, values: Any) -> Iterator[str]:
    """A text for each combination of the values of what a pattern finds in it."""
    found = list(dict.fromkeys(pattern.findall(text)))
    for chosen in itertools.product(*(sorted(values(name)) for name in found)):
        replaced = dict(zip(found, chosen, strict=True))
        yield pattern.sub(lambda match, by=replaced: by[match[1]], text)  # type: ignore[misc]


def transformed(path: Path, values: Mapping[str, str]) -> dict[str, Any]:
    """A template as CloudFormation gets it from SAM's transform, which adds roles, permissions and stages.

    Args:
        path: a CloudFormation or SAM template, built or not.
        values: of parameters and pseudo parameters, as far as they are known.
    Raises:
        TemplateRefused: it can't be read.
    """
    # half a second, which many who import this module never need
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    try:
        document: dict[str, Any] = yaml_parse(path.read_text())
        resources = document["Resources"]
    except (OSError, TypeError, KeyError) as failure:
        raise TemplateRefused(f"{path} is no template: {failure}") from failure
    for resource in resources.values():
        properties = resource.get("Properties") or {}
        for name in set(_LOCATIONS) & set(properties):
            properties[name] = "s3://bucket/key"
    if _TRANSFORM not in _listed(document.get("Transform", [])):
        return document
    declared: dict[str, dict[str, Any]] = document.get("Parameters", {})
    defaults = {name: given.get("Default", "") for name, given in declared.items()}
    known = {name: value for name, value in values.items() if name in declared or name.startswith("AWS::")}
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the transform asks for one and calls nobody
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own feature flags
    try:
        document = transform(document, {**defaults, **known}, None)
    except InvalidDocumentException as failure:
        raise TemplateRefused(f"SAM's transform refuses {path}: {failure.message}") from failure
    return document


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]
