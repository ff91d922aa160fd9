"""The reviewed data behind the documents: where each action applies, what is left out, and who else calls.

Each file says in its head what its fields mean.
"""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Condition = dict[str, dict[str, Any]]
"""As IAM has it: operator, then key, then a value or a list of values."""


DEPLOY, VIEW = "deploy", "view"
"""The two roles that GitHub's runs take."""


@dataclass(frozen=True)
class Scope:
    """Where actions apply: a statement of a document. scopes.toml describes the fields."""

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
    """A resource type. scopes.toml describes the fields."""

    scope: str
    name: str | None = None
    generated: str | None = None
    actions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    tags: str | None = None
    required: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """Actions that a resource type's handlers list and nobody gets. left_out.toml describes the fields."""

    type: str
    actions: list[str]
    why: str
    unless: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """Calls by others than CloudFormation's handlers. calls.toml describes the fields."""

    by: str
    scope: str
    actions: list[str]
    why: str
    type: str | None = None
    roles: list[str] = field(default_factory=lambda: [DEPLOY])


@dataclass(frozen=True)
class ToolResource:
    """A resource that a tool tool_resources in a stack of its own. calls.toml describes the fields."""

    by: str
    type: str
    handlers: list[str]
    properties: list[str]
    scope: str
    why: str
    actions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """All of it."""

    parameters: dict[str, str]
    """What the documents call the values of stack parameters."""
    variants: list[dict[str, str]]
    """Values of stack parameters with which a template holds more than with their defaults."""
    scopes: dict[str, Scope]
    types: dict[str, Type]
    left_out: list[LeftOut]
    calls: list[Call]
    tool_resources: list[ToolResource]


@cache
def read_rules() -> Rules:
    """Read the data.

    Raises:
        TypeError: a field is missing, or nobody knows it.
    """
    scopes, left_out, calls = (_read(name) for name in ("scopes", "left_out", "calls"))
    return Rules(
        parameters=scopes["parameters"],
        variants=scopes["variant"],
        scopes={name: Scope(**given) for name, given in scopes["scope"].items()},
        types={name: Type(**given) for name, given in scopes["type"].items()},
        left_out=[LeftOut(**given) for given in left_out["left_out"]],
        calls=[Call(**given) for given in calls["call"]],
        tool_resources=[ToolResource(**given) for given in calls["tool_resource"]],
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text())
