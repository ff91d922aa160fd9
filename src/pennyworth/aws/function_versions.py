"""The versions of a stack's function, and the alias that points at the live version.

A deployment publishes a version and points the alias at it. Previous versions remain until they are pruned, so a
rollback is a single call. https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent
from pennyworth.aws.snapshot import Snapshot
from pennyworth.host.errors import OperationFailed

_LATEST = "$LATEST"  # the unpublished version: the most recently uploaded code


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of the function."""

    number: str
    published: str
    """The time of publication, in ISO 8601."""
    description: str


@dataclass(frozen=True, slots=True)
class AliasedFunction:
    """A function with an alias."""

    function: str
    alias: str
    wanted: str
    """The version that the last deployment pointed the alias at."""
    region: str

    def fetch_live_version(self) -> str | None:
        """Fetch the version that the alias points at.

        Returns:
            the version's number; None if the alias does not exist.
        Raises:
            OperationFailed: AWS denies the call.
        """
        try:
            alias = self._call("get_alias", Name=self.alias)
        except _Missing:
            return None
        return str(alias["FunctionVersion"])

    def point_at(self, version: str) -> None:
        """Point the alias at a version for all traffic, and end a gradual rollout.

        Args:
            version: the version's number.
        Raises:
            OperationFailed: the version does not exist, or AWS denies the call.
        """
        # an empty RoutingConfig removes the second version of a gradual rollout
        self._call(
            "update_alias",
            Name=self.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )

    def list_versions(self) -> list[Version]:
        """List the published versions, oldest first."""
        published = [
            Version(version["Version"], version["LastModified"], version.get("Description", ""))
            for version in self._list_all("list_versions_by_function", "Versions")
            if version["Version"] != _LATEST
        ]
        return sorted(published, key=lambda version: int(version.number))

    def find_previous_version(self) -> str | None:
        """Find the newest version older than the live one; None if there is none."""
        live = int(self.fetch_live_version() or 0)
        earlier = [version.number for version in self.list_versions() if int(version.number) < live]
        return earlier[-1] if earlier else None

    def prune(self, keep: int) -> list[str]:
        """Delete old versions, except those that an alias points at and the last deployed one.

        Args:
            keep: how many of the newest versions to keep, at least 1.
        Returns:
            the numbers of the deleted versions.
        Raises:
            OperationFailed: AWS denies a call.
        """
        used = {self.wanted}
        for alias in self._list_all("list_aliases", "Aliases"):
            shifted = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}
            used |= {alias["FunctionVersion"], *shifted}
        old = [version.number for version in self.list_versions()[:-keep] if version.number not in used]
        for number in old:
            self._call("delete_function", Qualifier=number)
        return old

    def _list_all(self, operation: str, key: str) -> list[dict[str, Any]]:
        pages = self._make_client().get_paginator(operation).paginate(FunctionName=self.function)
        try:
            return [one for page in pages for one in page[key]]
        except ClientError as failure:
            raise self._explain_refusal(operation, failure) from failure

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._make_client(), operation)(FunctionName=self.function, **arguments)
        except ClientError as failure:
            raise self._explain_refusal(operation, failure) from failure

    def _make_client(self) -> Any:
        return boto3.client("lambda", region_name=self.region)

    def _explain_refusal(self, operation: str, failure: ClientError) -> OperationFailed:
        action = "".join(word.capitalize() for word in operation.split("_"))
        kind = _Missing if is_absent(failure) else OperationFailed
        return kind(
            f"Lambda rejected {action} for {self.function}",
            f"The role needs the permission lambda:{action}. `pennyworth bootstrap` updates its policies."
            " `pennyworth rollback --list` lists the versions.",
            str(failure),
        )


class _Missing(OperationFailed):
    """The function, alias or version does not exist."""


def find_function(stack: Snapshot | None) -> AliasedFunction | None:
    """Find a stack's function; None if there is no stack, or no function with an alias."""
    if stack is None:
        return None
    needed = [stack.outputs.get(name, "") for name in ("FunctionName", "FunctionAlias", "FunctionVersion")]
    if not all(needed):
        return None
    function, alias, version = needed
    return AliasedFunction(function, alias, version.rpartition(":")[2], stack.region)
