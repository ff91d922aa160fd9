"""The values of a stack's parameters that a deployment would set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pennyworth.github.masking import PUBLIC
from pennyworth.pipeline.deploy import parameters as stack_parameters

SECRET = ("BaseDomain", "Route53HostedZoneId", "AcmCertificateArn", "AlarmEmail", "AlarmTopicArn")
"""Parameters whose values are secrets of the repository, though CloudFormation shows them."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter whose value changes."""

    name: str = field(metadata=PUBLIC)
    before: str | None
    """None: there was no such parameter."""
    after: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Values for each of a template's parameters."""

    values: dict[str, str]
    """By name; without those that stay what they are because nobody here knows them."""
    kept: frozenset[str]
    """The names of those."""
    changes: tuple[Setting, ...]

    def request(self) -> list[dict[str, Any]]:
        """As CreateChangeSet takes them."""
        given: list[dict[str, Any]] = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in self.values.items()
        ]
        return given + [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(self.kept)]


def compare_parameters(
    declared: Mapping[str, Mapping[str, Any]],
    wanted: Mapping[str, str],
    given: frozenset[str],
    before: Mapping[str, str],
) -> Settings:
    """What the deployment's step would set.

    Args:
        declared: the new template's parameters.
        wanted: a value for each of them, as that step finds it.
        given: the names of those that were said, and are not merely the template's default.
        before: the deployed stack's values; empty where there is no stack.
    """
    hidden = {
        name
        for name, declaration in declared.items()
        if str(declaration.get("NoEcho", "")).lower() == "true" and name not in given and name in before
    }
    values = {name: value for name, value in wanted.items() if name not in hidden}
    changed = [
        Setting(name, before.get(name), value)
        for name, value in values.items()
        if name != stack_parameters.CONFIG_HASH
        and before.get(name, str(declared[name].get("Default", ""))) != value
    ]
    if (
        stack_parameters.CONFIG_HASH in before
        and not {change.name for change in changed} - stack_parameters.BESIDE_THE_FUNCTION
    ):
        # it is a digest of what the function sees: where that stays, so does it, whatever was said by hand
        hidden.add(stack_parameters.CONFIG_HASH)
        values.pop(stack_parameters.CONFIG_HASH, None)
    return Settings(values, frozenset(hidden), tuple(changed) if before else ())
