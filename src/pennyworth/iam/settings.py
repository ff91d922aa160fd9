"""An account's settings: the parameters of policies/bootstrap.yaml, and what follows from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pennyworth.iam.bootstrap_template.template import BINDS_IN, LIST, PARAMETERS, PULL_REQUEST, SLOTS


class WrongSetting(ValueError):
    """A setting is missing or invalid; the message names it and what it must be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The template's parameters, each with a value."""

    parameters: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Settings":
        """Make settings from parameters, with defaults for those that are not given.

        Args:
            given: values of the template's parameters by name.
        Returns:
            the settings.
        Raises:
            WrongSetting: a setting is missing or invalid.
        """
        values = {}
        for name, declared in PARAMETERS.items():
            value = given.get(name, str(declared.get("Default", "")))
            items = value.split(",") if declared["Type"] == LIST else [value]
            if len(value) > declared.get("MaxLength", len(value)) or not all(
                re.fullmatch(declared.get("AllowedPattern", ".*"), item) for item in items
            ):
                raise WrongSetting(f"{name} {declared['ConstraintDescription']}, not {value or 'empty'}")
            values[name] = value
        if not any(values[name] for name in _CONTEXTS):
            raise WrongSetting("Name at least one branch or environment that may deploy")
        if values["BaseDomain"] and not values["HostedZoneId"]:
            raise WrongSetting(f"{values['BaseDomain']} requires the ID of its hosted zone (HostedZoneId)")
        return cls(values)

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    @property
    def region(self) -> str:
        """The endpoint's region."""
        return self["Region"]

    @property
    def domain(self) -> str:
        """The endpoint's domain name; empty without a custom domain."""
        return f"api.{self['BaseDomain']}" if self["BaseDomain"] else ""

    def list_subjects(self) -> list[str]:
        """List the `sub` claims that the deploy role trusts: https://docs.github.com/actions/reference/security/oidc."""
        return [
            f"repo:{repository}:{context}{self[parameter]}"
            for parameter, context in _CONTEXTS.items()
            if self[parameter]
            for repository in self._list_repositories()
        ]

    def list_view_subjects(self) -> list[str]:
        """List the `sub` claims that the read-only role trusts: the same, and the repository's own pull requests."""
        own = [f"repo:{repository}:{PULL_REQUEST}" for repository in self._list_repositories()]
        return [*self.list_subjects(), *own]

    def list_workflows(self) -> list[str]:
        """List the `job_workflow_ref` claims that the deploy role trusts; empty if any workflow may deploy."""
        return [workflow for workflow in self["Workflows"].split(",") if workflow]

    @property
    def views(self) -> bool:
        """Whether there is a read-only role."""
        return self["ViewRole"] == "yes"

    def _list_repositories(self) -> list[str]:
        """List the repository's names in `sub` claims: OWNER/NAME and, if the IDs are known, the form with IDs."""
        owner, _, name = self["Repository"].partition("/")
        found = [self["Repository"]]
        if self["RepositoryOwnerId"] and self["RepositoryId"]:
            found.append(f"{owner}@{self['RepositoryOwnerId']}/{name}@{self['RepositoryId']}")
        return found

    def list_values(self, account: str, partition: str) -> dict[str, str | Sequence[str]]:
        """List the values for the placeholders of the policy documents.

        Args:
            account: the AWS account ID.
            partition: aws, aws-us-gov or aws-cn.
        Returns:
            the values by placeholder.
        """
        return {
            "ACCOUNT_ID": account,
            "PARTITION": partition,
            "REGION": self.region,
            "STACK_NAME": self["StackName"],
            "BASE_DOMAIN": self["BaseDomain"],
            "HOSTED_ZONE_ID": self["HostedZoneId"],
            "ADAPTER_ACCOUNT": self["AdapterAccount"],
            "SUBJECTS": self.list_subjects(),
            **(self._list_bound_claims() if partition == BINDS_IN else {}),
        }

    def _list_bound_claims(self) -> dict[str, str | Sequence[str]]:
        """List the other claims that the deploy role compares."""
        named = self["RepositoryOwnerId"] and self["RepositoryId"]
        ids = {"REPOSITORY_ID": self["RepositoryId"], "REPOSITORY_OWNER_ID": self["RepositoryOwnerId"]}
        return {"WORKFLOWS": self.list_workflows(), **(ids if named else {})}


_CONTEXTS = {f"{slot}Branch": "ref:refs/heads/" for slot in SLOTS} | {
    f"{slot}Environment": "environment:" for slot in SLOTS
}
