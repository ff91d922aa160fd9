"""Removes an endpoint: its stack, its credentials, its packages and, if wanted, the data that the stack leaves behind.

It looks at what there is. So it can be run again after an interruption, and does nothing when nothing is left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.credential_store import Credentials
from pennyworth.aws.deployed_template import fetch_deployed_template
from pennyworth.aws.packages import find_package_bucket
from pennyworth.host.progress import step
from pennyworth.iam.endpoints import list_endpoints, pick_endpoint
from pennyworth.setup.stacks import delete_stack
from pennyworth.setup.undo import SetUp, find_set_up

_SAM_STACK = "aws-sam-cli-managed-default"
"""The stack with the bucket that `sam deploy --resolve-s3` uses."""
_KEEPING = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
"""Deletion policies with which CloudFormation leaves a resource behind."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the stack."""

    logical_id: str
    type: str
    id: str
    """Its physical id."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays."""

    what: str
    why: str
    how: str = ""
    """How to remove it."""


@dataclass(frozen=True, slots=True)
class _Data:
    """How to delete a type of resource that holds data."""

    command: str
    """The command that does it, for a person."""
    delete: Callable[[Account, str], object]


def _delete_bucket(account: Account, name: str) -> None:
    _delete_objects(account, name, "")
    account.client("s3").delete_bucket(Bucket=name)


_DATA: Mapping[str, _Data] = {
    "AWS::DynamoDB::Table": _Data(
        "aws dynamodb delete-table --table-name {id} --region {region}",
        lambda account, id: account.client("dynamodb").delete_table(TableName=id),
    ),
    "AWS::Logs::LogGroup": _Data(
        "aws logs delete-log-group --log-group-name {id} --region {region}",
        lambda account, id: account.client("logs").delete_log_group(logGroupName=id),
    ),
    "AWS::S3::Bucket": _Data("aws s3 rb s3://{id} --force", _delete_bucket),
}


@dataclass(frozen=True, slots=True)
class Removal:
    """What there is to remove of an endpoint."""

    account: Account
    name: str
    """The stack's name."""
    exists: bool
    """Whether there is a stack."""
    resources: Sequence[Resource]
    """The stack's resources that CloudFormation deletes."""
    retained: Sequence[Resource]
    """Those that it leaves behind."""
    credentials: Sequence[str]
    """The names of the credentials in the Parameter Store."""
    bucket: str
    """The bucket with the packages; empty if there is none."""
    packages: int
    """The number of files in it that belong to the endpoint."""
    with_data: bool
    """Whether retained resources are deleted too."""
    setup_stack: str
    """The name of the bootstrap stack; empty if there is none."""
    set_up: SetUp | None
    """What `pennyworth bootstrap` created, if that is to go too."""

    @property
    def nothing(self) -> bool:
        """Whether nothing is left to remove."""
        return not (self.exists or self.credentials or self.packages or self.set_up)

    def describe(self) -> list[str]:
        """Say what `carry_out` deletes, one thing a line."""
        path = f"/{self.name}/credentials"
        lines = []
        if self.exists:
            lines.append(f"stack {self.name} in {self.account.region}, with {len(self.resources)} resources:")
            lines += [f"    {one.type} {one.id}" for one in self.resources]
        lines += [f"    {one.type} {one.id} (data)" for one in self._list_deleted_data()]
        if self.credentials:
            lines.append(f"credentials in the Parameter Store below {path}: {', '.join(self.credentials)}")
        if self.packages:
            lines.append(f"{self.packages} packages and templates in s3://{self.bucket}/{self.name}/")
        if self.set_up:
            lines += self.set_up.describe()
        return lines

    def list_kept(self) -> list[Kept]:
        """List what stays, why, and how to remove it."""
        deleted = self._list_deleted_data()
        kept = [
            Kept(
                f"{one.type} {one.id}",
                "it holds data, and the template retains it",
                _DATA[one.type].command.format(id=one.id, region=self.account.region)
                if one.type in _DATA
                else "delete it in the AWS console",
            )
            for one in self.retained
            if one not in deleted
        ]
        if self.setup_stack and not self.set_up:
            kept.append(
                Kept(
                    f"stack {self.setup_stack}",
                    "it is the setup of your account, for further deployments",
                    f"pennyworth bootstrap --delete --stack-name {self.name} --region {self.account.region}",
                )
            )
        return kept

    def carry_out(self) -> list[Kept]:
        """Delete it.

        Returns:
            what stays.
        Raises:
            OperationFailed: something can't be deleted. The message says what, and what to do.
        """
        kept = self.list_kept()
        if self.exists:
            delete_stack(self.account, self.name)
        for one in self._list_deleted_data():
            with step(f"deleting {one.type} {one.id}"):
                _DATA[one.type].delete(self.account, one.id)
        if self.credentials:
            store = Credentials(self.name, self.account.region)
            with step(f"deleting {len(self.credentials)} credentials"):
                for name in self.credentials:
                    store.remove(name)
        if self.packages:
            with step(f"deleting the packages in s3://{self.bucket}/{self.name}/"):
                _delete_objects(self.account, self.bucket, f"{self.name}/")
        if self.set_up:
            kept += [Kept(what, "") for what in self.set_up.remove()]
        return kept

    def _list_deleted_data(self) -> list[Resource]:
        return [one for one in self.retained if one.type in _DATA] if self.with_data else []


def find_removal(
    account: Account, name: str, *, with_data: bool = False, with_set_up: bool = False
) -> Removal:
    """Find what there is to remove. Changes nothing.

    Args:
        account: the account, in the endpoint's region.
        name: the stack's name.
        with_data: whether to delete retained resources too.
        with_set_up: whether to remove what `pennyworth bootstrap` created too.
    Raises:
        Unprepared: the setup belongs to another endpoint.
    """
    set_up = find_set_up(account, name) if with_set_up else None
    endpoint = pick_endpoint(account, name)
    if with_set_up and not set_up and (other := _find_other_endpoint(account)):
        raise Unprepared(
            f"The setup in {account.region} belongs to the stack {other}, not to {name}. Leave out --all"
        )
    stack = account.describe_stack(name)
    resources = list(_list_resources(account, name)) if stack else []
    retained = _find_retained(account, name) if stack else frozenset()
    bucket = _find_bucket(account, name)
    return Removal(
        account=account,
        name=name,
        exists=stack is not None,
        resources=[one for one in resources if one.logical_id not in retained],
        retained=[one for one in resources if one.logical_id in retained],
        credentials=list(Credentials(name, account.region).fetch_all()),
        bucket=bucket,
        packages=sum(1 for _ in _list_objects(account, bucket, f"{name}/")) if bucket else 0,
        with_data=with_data,
        setup_stack=endpoint.names.bootstrap_stack if endpoint else "",
        set_up=set_up,
    )


def _find_other_endpoint(account: Account) -> str:
    """Find another endpoint in the region; empty if there is none."""
    return next((one.stack for one in list_endpoints(account) if one.region == account.region), "")


def _list_resources(account: Account, name: str) -> Iterator[Resource]:
    pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    for page in pages:
        for one in page["StackResourceSummaries"]:
            if one.get("PhysicalResourceId") and one["ResourceStatus"] != "DELETE_COMPLETE":
                yield Resource(one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"])


def _find_retained(account: Account, name: str) -> frozenset[str]:
    """Find the logical ids of the resources that outlive the stack."""
    deployed = fetch_deployed_template(account.client("cloudformation"), name)
    declared: Mapping[str, Any] = deployed.source.document.get("Resources") or {} if deployed else {}
    return frozenset(id for id, one in declared.items() if one.get("DeletionPolicy") in _KEEPING)


def _find_bucket(account: Account, name: str) -> str:
    """Find the bucket of the endpoint's packages, its own or sam's; empty if there is none."""
    if own := find_package_bucket(account, name):
        return own
    sam = account.describe_stack(_SAM_STACK)
    return sam.outputs.get("SourceBucket", "") if sam else ""


def _list_objects(account: Account, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
    """Yield every version of the objects below a prefix, and the marks of deleted ones."""
    pages = account.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            yield {"Key": one["Key"], "VersionId": one["VersionId"]}


def _delete_objects(account: Account, bucket: str, prefix: str) -> None:
    s3 = account.client("s3")
    for one in list(_list_objects(account, bucket, prefix)):
        s3.delete_object(Bucket=bucket, **one)
