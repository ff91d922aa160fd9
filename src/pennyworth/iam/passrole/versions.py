"""A managed policy and its versions. IAM keeps up to five versions; the default version is in effect.

Each change of the default version is a single call, so an interrupted run leaves either the previous or the new version
in effect. The next run cleans up what an interrupted one left.

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
    """A version of a policy."""

    id: str
    """v and a number, such as v3."""
    default: bool
    """Whether it is the default version, which is in effect."""

    @property
    def number(self) -> int:
        """Its number. Newer versions have higher numbers."""
        return int(self.id.removeprefix("v"))


class ManagedPolicy:
    """A customer managed policy."""

    def __init__(self, arn: str, iam: Any) -> None:
        self.arn = arn
        self._iam = iam

    def list_versions(self) -> list[Version]:
        """List the policy's versions.

        Returns:
            the versions, oldest first.
        Raises:
            OperationFailed: the policy does not exist.
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
                f"{self.arn} does not exist. Create it with `pennyworth bootstrap`; see policies/README.md.",
            ) from failure
        return sorted(found, key=lambda version: version.number)

    def fetch_document(self, version: Version) -> Document:
        """Fetch the document of a version."""
        response = self._iam.get_policy_version(PolicyArn=self.arn, VersionId=version.id)
        document: Document = response["PolicyVersion"]["Document"]
        return document

    def fetch_current(self) -> tuple[Version, Document]:
        """Fetch the default version and its document."""
        (version,) = [version for version in self.list_versions() if version.default]
        return version, self.fetch_document(version)

    def fetch_previous(self) -> tuple[Version, Document]:
        """Fetch the version before the default version, and its document.

        Returns:
            the version and its document.
        Raises:
            OperationFailed: there is no older version.
        """
        current, _ = self.fetch_current()
        older = [version for version in self.list_versions() if version.number < current.number]
        if not older:
            raise OperationFailed(
                "There is no previous version",
                f"{current.id} is the oldest version of the policy.",
            )
        return older[-1], self.fetch_document(older[-1])

    def apply(self, version: Version) -> None:
        """Make a version the default version."""
        self._iam.set_default_policy_version(PolicyArn=self.arn, VersionId=version.id)

    def put(self, document: Document) -> None:
        """Make a document the default version.

        Versions newer than the default version are leftovers of an interrupted run or of a restoration. If one of them
        has the same document, it becomes the default version. Otherwise they are deleted, and so are the oldest
        versions if there are too many. The current default version stays as the previous one.

        Args:
            document: the policy document.
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
