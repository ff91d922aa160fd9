"""An account's settings: the parameters of policies/bootstrap.yaml, and what follows from them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pennyworth.aws.github_oidc import ISSUER
from pennyworth.aws.names import Names
from pennyworth.iam.bootstrap_template.template import BINDS_IN, LIST, PARAMETERS, PULL_REQUEST
from pennyworth.iam.policy.documents import count_characters, render_document

TRUST_POLICY_CHARACTERS = 2048
"""IAM's limit for a trust policy, not counting white space.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

_BRANCH, _ENVIRONMENT = "ref:refs/heads/", "environment:"
"""What stands before the name of a branch or an environment in a `sub` claim."""


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
        values, issuer = {}, given.get("Issuer", ISSUER)
        for name, declared in PARAMETERS.items():
            value = given.get(name, str(declared.get("Default", "")))
            items = value.split(",") if declared["Type"] == LIST else [value]
            if len(value) > declared.get("MaxLength", len(value)) or not all(
                re.fullmatch(declared.get("AllowedPattern", ".*").replace(ISSUER, issuer), item)
                for item in items
            ):
                raise WrongSetting(f"{name} {declared['ConstraintDescription']}, not {value or 'empty'}")
            values[name] = value
        if values["NameSuffix"] not in {"", f"-{values['StackName']}"}:
            raise WrongSetting(
                f"NameSuffix must be empty or -{values['StackName']}, not {values['NameSuffix']}"
            )
        if values["BaseDomain"] and not values["HostedZoneId"]:
            raise WrongSetting(f"{values['BaseDomain']} requires the ID of its hosted zone (HostedZoneId)")
        settings = cls(values)
        for subject in settings.list_subjects():
            if not subject.startswith(tuple(f"repo:{name}:" for name in settings._list_repositories())):
                raise WrongSetting(
                    f"Subjects must all belong to {values['Repository']}, but one is {subject}"
                )
        settings._check_length()
        return settings

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

    @property
    def names(self) -> Names:
        """The names of the roles, policies and the bootstrap stack."""
        return Names(self["NameSuffix"])

    @property
    def branches(self) -> list[str]:
        """The branches whose runs may deploy."""
        return find_branches(self.list_subjects())

    @property
    def environments(self) -> list[str]:
        """The GitHub environments whose jobs may deploy."""
        return find_environments(self.list_subjects())

    @property
    def secrets_environment(self) -> str:
        """The GitHub environment that holds the endpoint's secrets; empty for the repository itself.

        A repository has one set of secrets, which may belong to the account's first endpoint.
        """
        return self.environments[0] if self.names.suffix and self.environments else ""

    def list_subjects(self) -> list[str]:
        """List the `sub` claims that the deploy role trusts: https://docs.github.com/actions/reference/security/oidc."""
        return self["Subjects"].split(",")

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
        return _name_repository(self["Repository"], self["RepositoryOwnerId"], self["RepositoryId"])

    def _check_length(self) -> None:
        """Refuse what IAM would refuse, before anything is made.

        Raises:
            WrongSetting: the trust policies would be too long.
        """
        values = self.list_values("0" * 12, BINDS_IN) | {"SUBJECTS": self.list_view_subjects()}
        characters = count_characters(render_document("trust", values))
        if characters > TRUST_POLICY_CHARACTERS:
            raise WrongSetting(
                f"The roles' trust policies would have {characters} characters, and IAM allows"
                f" {TRUST_POLICY_CHARACTERS}. Name fewer branches, environments or workflows"
            )

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
            "NAME_SUFFIX": self.names.suffix,
            "BASE_DOMAIN": self["BaseDomain"],
            "HOSTED_ZONE_ID": self["HostedZoneId"],
            "ADAPTER_ACCOUNT": self["AdapterAccount"],
            "SUBJECTS": self.list_subjects(),
            **(self._list_bound_claims() if partition == BINDS_IN and self["Issuer"] == ISSUER else {}),
        }

    def _list_bound_claims(self) -> dict[str, str | Sequence[str]]:
        """List the other claims that the deploy role compares."""
        named = self["RepositoryOwnerId"] and self["RepositoryId"]
        ids = {"REPOSITORY_ID": self["RepositoryId"], "REPOSITORY_OWNER_ID": self["RepositoryOwnerId"]}
        return {"WORKFLOWS": self.list_workflows(), **(ids if named else {})}


def list_claims(
    repository: str, owner_id: str, repository_id: str, branches: Iterable[str], environments: Iterable[str]
) -> list[str]:
    """List the `sub` claims of a repository's runs, in both of GitHub's forms.

    Args:
        repository: OWNER/NAME.
        owner_id: the owner's numeric ID. Without both IDs, the form with IDs is left out.
        repository_id: the repository's numeric ID.
        branches: the branches that are trusted.
        environments: the environments that are trusted.
    """
    contexts = [f"{_BRANCH}{name}" for name in branches] + [f"{_ENVIRONMENT}{name}" for name in environments]
    names = _name_repository(repository, owner_id, repository_id)
    return [f"repo:{name}:{context}" for context in contexts for name in names]


def find_branches(subjects: Iterable[str]) -> list[str]:
    """Find the branches that `sub` claims name."""
    return _find_contexts(subjects, _BRANCH)


def find_environments(subjects: Iterable[str]) -> list[str]:
    """Find the environments that `sub` claims name."""
    return _find_contexts(subjects, _ENVIRONMENT)


def are_alike(one: str, other: str) -> bool:
    """Return whether permissions for the resources of one stack would cover those of another.

    The names of a stack's resources begin with the stack's name and a hyphen, and roles belong to all regions.

    Args:
        one: a stack's name.
        other: another stack's name.
    """
    return f"{one}-".startswith(f"{other}-") or f"{other}-".startswith(f"{one}-")


def _name_repository(name: str, owner_id: str, repository_id: str) -> list[str]:
    """List a repository's names in `sub` claims: OWNER/NAME and, if the IDs are known, the form with IDs."""
    owner, _, short = name.partition("/")
    return [name, *([f"{owner}@{owner_id}/{short}@{repository_id}"] if owner_id and repository_id else [])]


def _find_contexts(subjects: Iterable[str], kind: str) -> list[str]:
    contexts = [subject.split(":", 2)[2] for subject in subjects]
    return list(dict.fromkeys(one.removeprefix(kind) for one in contexts if one.startswith(kind)))
