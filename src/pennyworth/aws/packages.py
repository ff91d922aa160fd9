"""The endpoint's own bucket, which `pennyworth bootstrap` makes for the packages of its deployments."""

from botocore.exceptions import ClientError

from pennyworth.aws.account import Account

_NOT_OURS = {"404", "403", "NoSuchBucket", "AccessDenied"}
_AT_ONCE = 1000
"""S3's limit for one call of DeleteObjects."""


def name_package_bucket(account: str, region: str, stack: str) -> str:
    """Return the name of an endpoint's bucket.

    It begins with a digit, as no stack's name does. So a policy for a stack's own buckets never covers it. With the
    longest names it has 62 characters, and S3 allows 63.

    Args:
        account: the AWS account ID.
        region: the endpoint's region.
        stack: the name of the endpoint's stack.
    """
    return f"{account}-{region}-{stack}-packages"


def find_package_bucket(account: Account, stack: str) -> str | None:
    """Find an endpoint's bucket.

    Args:
        account: the account, in the endpoint's region.
        stack: the name of the endpoint's stack.
    Returns:
        the bucket's name; None if this account has none, or these credentials may not use it.
    """
    name = name_package_bucket(account.id, account.region, stack)
    try:
        account.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=account.id)
    except ClientError as failure:
        if failure.response["Error"]["Code"] in _NOT_OURS:
            return None
        raise
    return name


def empty_bucket(account: Account, name: str) -> int:
    """Delete everything in a bucket, former versions too.

    Args:
        account: the bucket's account.
        name: the bucket's name.
    Returns:
        the number of versions that were deleted.
    """
    client, deleted = account.client("s3"), 0
    for page in client.get_paginator("list_object_versions").paginate(
        Bucket=name, PaginationConfig={"PageSize": _AT_ONCE}
    ):
        versions = [
            {"Key": one["Key"], "VersionId": one["VersionId"]}
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
        if versions:
            client.delete_objects(Bucket=name, Delete={"Objects": versions, "Quiet": True})
            deleted += len(versions)
    return deleted
