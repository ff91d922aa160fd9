"""A template as it is written: read once, and handed to whoever wants to know something of it."""

import copy
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import as_list

_TRANSFORM = "AWS::Serverless-2016-10-31"

_LOCATIONS = ("CodeUri", "ContentUri", "DefinitionUri")
"""Where a template may name a folder, which is uploaded before SAM's transform sees it."""


class TemplateRefused(OperationFailed):
    """A template can't be read, or nobody could write a policy for it; says why and what to do."""


@dataclass(frozen=True, slots=True)
class SourceTemplate:
    """A CloudFormation or SAM template, built or not."""

    name: str
    """What messages call it: its path, where it has one."""
    text: str
    document: Mapping[str, Any]
    """What the text says, with the short forms of functions written out: !Ref is a Ref."""

    @classmethod
    def read(cls, path: Path) -> "SourceTemplate":
        """Read a file.

        Raises:
            TemplateRefused: it can't be read, or holds no template.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as failure:
            raise TemplateRefused(f"{path} is no template: {failure}") from failure
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str = "the template") -> "SourceTemplate":
        """Read a text.

        Raises:
            TemplateRefused: it holds no template.
        """
        try:
            document = yaml_parse(text)
        except yaml.YAMLError as failure:
            raise TemplateRefused(f"{name} is no template: {failure}") from failure
        if not isinstance(document, dict):
            raise TemplateRefused(f"{name} is no template: it holds {type(document).__name__}")
        return cls(name, text, document)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Its parameters' declarations, by name."""
        found: Mapping[str, Mapping[str, Any]] = self.document.get("Parameters") or {}
        return found

    def transform(self, values: Mapping[str, str]) -> dict[str, Any]:
        """It as CloudFormation gets it from SAM's transform, which adds roles, permissions and stages.

        Args:
            values: of parameters and pseudo parameters, as far as they are known.
        Raises:
            TemplateRefused: it has no resources, or SAM's transform refuses it.
        """
        # half a second, which many who import this module never need
        from samtranslator.model.exceptions import InvalidDocumentException
        from samtranslator.translator.transform import transform

        document: dict[str, Any] = copy.deepcopy(dict(self.document))
        try:
            resources = document["Resources"]
        except KeyError as failure:
            raise TemplateRefused(f"{self.name} is no template: {failure}") from failure
        for resource in resources.values():
            properties = resource.get("Properties") or {}
            for location in set(_LOCATIONS) & set(properties):
                properties[location] = "s3://bucket/key"
        if _TRANSFORM not in as_list(document.get("Transform")):
            return document
        defaults = {name: given.get("Default", "") for name, given in self.parameters.items()}
        known = {
            name: value
            for name, value in values.items()
            if name in self.parameters or name.startswith("AWS::")
        }
        os.environ.setdefault(
            "AWS_DEFAULT_REGION", "us-east-1"
        )  # the transform asks for one and calls nobody
        logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own feature flags
        try:
            transformed: dict[str, Any] = transform(document, {**defaults, **known}, None)
        except InvalidDocumentException as failure:
            raise TemplateRefused(f"SAM's transform refuses {self.name}: {failure.message}") from failure
        return transformed
