"""Find the parameter values that a deployment would change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pennyworth.github.masking import PUBLIC
from pennyworth.pipeline.deploy import parameters as stack_parameters

SECRET = ("BaseDomain", "Route53HostedZoneId", "AcmCertificateArn", "AlarmEmail", "AlarmTopicArn")
"""Parameters whose values are secrets of the repository, although CloudFormation shows them."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter with a new value."""

    name: str = field(metadata=PUBLIC)
    before: str | None
    """None if the parameter is new."""
    after: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of a template's parameters."""

    values: dict[str, str]
    """The values by name, without those that stay unchanged because they are unknown here."""
    kept: frozenset[str]
    """The names of the parameters that stay unchanged."""
    changes: tuple[Setting, ...]

    def request(self) -> list[dict[str, Any]]:
        """Return the parameters in the format of CreateChangeSet."""
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
    """Compare the parameters that a deployment would set with those of the stack.

    Args:
        declared: the parameters in the new template.
        wanted: the values that the deployment would set.
        given: the names of parameters with explicit values, as opposed to defaults.
        before: the deployed stack's values; empty if there is no stack.
    Returns:
        the values and the changes.
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
        if name not in stack_parameters.RECORDS
        and before.get(name, str(declared[name].get("Default", ""))) != value
    ]
    if (
        stack_parameters.CONFIG_HASH in before
        and not {change.name for change in changed} - stack_parameters.BESIDE_THE_FUNCTION
    ):
        # the hash covers only what the function sees, so it stays unless one of those values changes
        hidden.add(stack_parameters.CONFIG_HASH)
        values.pop(stack_parameters.CONFIG_HASH, None)
    return Settings(values, frozenset(hidden), tuple(changed) if before else ())
