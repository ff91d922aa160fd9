"""The versions of a stack's function, and the alias through which callers reach one of them.

A deployment publishes a version and points the alias at it; the previous ones stay in Lambda until they are deleted, so
that going back is one call. https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent
from pennyworth.aws.snapshot import Snapshot
from pennyworth.host.errors import OperationFailed

_LATEST = "$LATEST"  # what has no number: the code as it was uploaded last


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of the function."""

    number: str
    published: str
    """When, in ISO 8601."""
    description: str


@dataclass(frozen=True, slots=True)
class AliasedFunction:
    """A function behind its alias."""

    function: str
    alias: str
    wanted: str
    """The version that the stack's last deployment put behind the alias."""
    region: str

    def fetch_live_version(self) -> str | None:
        """The version that the alias points at; None where somebody has deleted the alias.

        Raises:
            OperationFailed: it may not be asked for.
        """
        try:
            alias = self._call("get_alias", Name=self.alias)
        except _Missing:
            return None
        return str(alias["FunctionVersion"])

    def point_at(self, version: str) -> None:
        """Have every caller reach a version from now on, whatever share of them a rollout has moved elsewhere.

        Raises:
            OperationFailed: there is no such version, or it may not be done.
        """
        # an empty RoutingConfig takes the second version of a rollout away
        self._call(
            "update_alias",
            Name=self.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )

    def list_versions(self) -> list[Version]:
        """Its published versions, oldest first."""
        published = [
            Version(version["Version"], version["LastModified"], version.get("Description", ""))
            for version in self._list_all("list_versions_by_function", "Versions")
            if version["Version"] != _LATEST
        ]
        return sorted(published, key=lambda version: int(version.number))

    def find_previous_version(self) -> str | None:
        """The newest version before the live one, as far as they are kept; None where there is none."""
        live = int(self.fetch_live_version() or 0)
        earlier = [version.number for version in self.list_versions() if int(version.number) < live]
        return earlier[-1] if earlier else None

    def prune(self, keep: int) -> list[str]:
        """Delete old versions, but none that an alias points at, nor the one that the stack wants there.

        Args:
            keep: how many of the newest stay, at least 1.
        Returns:
            those that are gone.
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
            f"Lambda refuses {action} for {self.function}",
            f"The role needs lambda:{action}, which `pennyworth bootstrap` brings it from policies/."
            " `pennyworth rollback --list` shows which versions there are.",
            str(failure),
        )


class _Missing(OperationFailed):
    """There is no such function, alias or version."""


def find_function(stack: Snapshot | None) -> AliasedFunction | None:
    """A stack's function; None where it has none behind an alias, or there is no stack."""
    if stack is None:
        return None
    needed = [stack.outputs.get(name, "") for name in ("FunctionName", "FunctionAlias", "FunctionVersion")]
    if not all(needed):
        return None
    function, alias, version = needed
    return AliasedFunction(function, alias, version.rpartition(":")[2], stack.region)
