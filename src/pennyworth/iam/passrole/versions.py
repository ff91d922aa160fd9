"""A managed policy and its versions, of which IAM keeps five and applies one.

Every change is a single call to IAM, so whenever a run is cut off the policy is whole, the previous or the new one, and
what the run left behind is found by the next one.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.passrole.document import Document, is_equivalent, render_json

_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Version:
    """One of a policy's versions."""

    id: str
    """v and a number, which grows."""
    default: bool
    """Whether it is the one that applies."""

    @property
    def number(self) -> int:
        """Its age: versions are counted and no number is used again."""
        return int(self.id.removeprefix("v"))


class ManagedPolicy:
    """A customer managed policy."""

    def __init__(self, arn: str, iam: Any) -> None:
        self.arn = arn
        self._iam = iam

    def list_versions(self) -> list[Version]:
        """All there are, oldest first.

        Raises:
            OperationFailed: there is no such policy.
        """
        try:
            pages = self._iam.get_paginator("list_policy_versions").paginate(PolicyArn=self.arn)
            found = [
                Version(version["VersionId"], version["IsDefaultVersion"])
                for page in pages
                for version in page["Versions"]
            ]
        except ClientError as failure:
            if not is_absent(failure):
                raise
            raise OperationFailed(
                f"There is no policy {self.arn.rpartition('/')[2]}",
                f"{self.arn} is not there. Make it with `pennyworth bootstrap`, as policies/README.md says.",
            ) from failure
        return sorted(found, key=lambda version: version.number)

    def fetch_document(self, version: Version) -> Document:
        """What a version says."""
        told = self._iam.get_policy_version(PolicyArn=self.arn, VersionId=version.id)
        document: Document = told["PolicyVersion"]["Document"]
        return document

    def fetch_current(self) -> tuple[Version, Document]:
        """The version that applies, and what it says."""
        (version,) = [version for version in self.list_versions() if version.default]
        return version, self.fetch_document(version)

    def fetch_previous(self) -> tuple[Version, Document]:
        """The version before the one that applies, and what it says.

        Raises:
            OperationFailed: there is none.
        """
        current, _ = self.fetch_current()
        older = [version for version in self.list_versions() if version.number < current.number]
        if not older:
            raise OperationFailed(
                "There is no previous version",
                f"{current.id} is the oldest version that the policy still has.",
            )
        return older[-1], self.fetch_document(older[-1])

    def apply(self, version: Version) -> None:
        """Have one of the versions apply."""
        self._iam.set_default_policy_version(PolicyArn=self.arn, VersionId=version.id)

    def put(self, document: Document) -> None:
        """Have a document apply, as a new version.

        Of the older versions the oldest ones go where there is no room; the one that applies now stays, as the previous
        one. A version that is newer than the one that applies now was left by a run that was cut off, or put aside by
        `fetch_previous` and `apply`: it is taken where it says the same, and goes where it does not.
        """
        versions = self.list_versions()
        current = next(version for version in versions if version.default)
        newer = [version for version in versions if version.number > current.number]
        for version in reversed(newer):
            if is_equivalent(self.fetch_document(version), document):
                self.apply(version)
                return
        older = [version for version in versions if version.number < current.number]
        surplus = max(len(older) + 2 - _LIMIT, 0)  # with the current one and the new one
        for version in (*newer, *older[:surplus]):
            self._iam.delete_policy_version(PolicyArn=self.arn, VersionId=version.id)
        self._iam.create_policy_version(
            PolicyArn=self.arn, PolicyDocument=render_json(document), SetAsDefault=True
        )
