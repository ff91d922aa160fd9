"""The rules that the policy documents are derived by, read from scopes.toml, left_out.toml and calls.toml.

The comment at the top of each file explains its fields.
"""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Condition = dict[str, dict[str, Any]]
"""A condition of an IAM statement: operator, then key, then a value or a list of values."""


DEPLOY, VIEW = "deploy", "view"
"""The two roles that workflow runs assume."""


@dataclass(frozen=True)
class Scope:
    """A statement of a document, and the resources its actions apply to. scopes.toml explains the fields."""

    resources: list[str]
    why: str
    condition: Condition = field(default_factory=dict)
    document: str = "deployment"
    shorten: dict[str, str] = field(default_factory=dict)
    first_deployment: list[str] = field(default_factory=list)
    view_why: str = ""
    view_actions: list[str] = field(default_factory=list)
    view_scopes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Type:
    """A resource type. scopes.toml explains the fields."""

    scope: str
    name: str | None = None
    generated: str | None = None
    actions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    tags: str | None = None
    required: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """Actions that a resource type's handlers list but a role does not get. left_out.toml explains the fields."""

    type: str
    actions: list[str]
    why: str
    unless: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=lambda: [DEPLOY, VIEW])


@dataclass(frozen=True)
class Call:
    """Calls that do not come from CloudFormation's handlers. calls.toml explains the fields."""

    by: str
    scope: str
    actions: list[str]
    why: str
    type: str | None = None
    roles: list[str] = field(default_factory=lambda: [DEPLOY])


@dataclass(frozen=True)
class Rules:
    """All rules."""

    parameters: dict[str, str]
    """The placeholders that stand for the values of stack parameters, by parameter name."""
    variants: list[dict[str, str]]
    """Parameter values with which a template has resources that it does not have with the defaults."""
    scopes: dict[str, Scope]
    types: dict[str, Type]
    left_out: list[LeftOut]
    calls: list[Call]


@cache
def read_rules() -> Rules:
    """Read the rules.

    Returns:
        all rules.
    Raises:
        TypeError: an entry lacks a required field or has an unknown one.
    """
    scopes, left_out, calls = (_read(name) for name in ("scopes", "left_out", "calls"))
    return Rules(
        parameters=scopes["parameters"],
        variants=scopes["variant"],
        scopes={name: Scope(**given) for name, given in scopes["scope"].items()},
        types={name: Type(**given) for name, given in scopes["type"].items()},
        left_out=[LeftOut(**given) for given in left_out["left_out"]],
        calls=[Call(**given) for given in calls["call"]],
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text())
