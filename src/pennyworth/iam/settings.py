"""What an account is set up for: the parameters of policies/bootstrap.yaml, and what follows from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pennyworth.iam.bootstrap_template.template import PARAMETERS, PULL_REQUEST, SLOTS


class WrongSetting(ValueError):
    """A setting that the template would refuse; the message says which, and what it must be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The template's parameters, each with a value."""

    parameters: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Settings":
        """The settings that some parameters make, the others being their defaults.

        Raises:
            WrongSetting: one is missing or not as it must be.
        """
        values = {}
        for name, declared in PARAMETERS.items():
            value = given.get(name, str(declared.get("Default", "")))
            if not re.fullmatch(declared.get("AllowedPattern", ".*"), value):
                raise WrongSetting(f"{name} {declared['ConstraintDescription']}, not {value or 'empty'}")
            values[name] = value
        if not any(values[name] for name in _CONTEXTS):
            raise WrongSetting("A branch or an environment must be named that may deploy")
        if values["BaseDomain"] and not values["HostedZoneId"]:
            raise WrongSetting(f"{values['BaseDomain']} needs its hosted zone")
        return cls(values)

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    @property
    def region(self) -> str:
        """The endpoint's region."""
        return self["Region"]

    @property
    def domain(self) -> str:
        """The endpoint's name; empty for none."""
        return f"api.{self['BaseDomain']}" if self["BaseDomain"] else ""

    def list_subjects(self) -> list[str]:
        """Each `sub` that the deploy role trusts: https://docs.github.com/actions/reference/security/oidc."""
        return [
            f"repo:{repository}:{context}{self[parameter]}"
            for parameter, context in _CONTEXTS.items()
            if self[parameter]
            for repository in self._list_repositories()
        ]

    def list_view_subjects(self) -> list[str]:
        """Each `sub` that the view role trusts: those, and the repository's own pull requests."""
        own = [f"repo:{repository}:{PULL_REQUEST}" for repository in self._list_repositories()]
        return [*self.list_subjects(), *own]

    @property
    def views(self) -> bool:
        """Whether there is a view role."""
        return self["ViewRole"] == "yes"

    def _list_repositories(self) -> list[str]:
        """What GitHub calls the repository in a `sub`: by its name and, where they are known, with its numbers."""
        owner, _, name = self["Repository"].partition("/")
        found = [self["Repository"]]
        if self["RepositoryOwnerId"] and self["RepositoryId"]:
            found.append(f"{owner}@{self['RepositoryOwnerId']}/{name}@{self['RepositoryId']}")
        return found

    def list_values(self, account: str, partition: str) -> dict[str, str | Sequence[str]]:
        """What fills the policy documents in.

        Args:
            account: its number.
            partition: aws, aws-us-gov or aws-cn.
        """
        return {
            "ACCOUNT_ID": account,
            "PARTITION": partition,
            "REGION": self.region,
            "STACK_NAME": self["StackName"],
            "BASE_DOMAIN": self["BaseDomain"],
            "HOSTED_ZONE_ID": self["HostedZoneId"],
            "SUBJECTS": self.list_subjects(),
        }


_CONTEXTS = {f"{slot}Branch": "ref:refs/heads/" for slot in SLOTS} | {
    f"{slot}Environment": "environment:" for slot in SLOTS
}
