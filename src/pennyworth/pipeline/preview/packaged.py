"""Convert a built template to what `sam deploy` would pass to CloudFormation, with or without uploading its packages.

sam names a package in S3 by a checksum of its contents. So a package has the same name as the deployed one only if it
is the same, whether it is uploaded or not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pennyworth.aws.source_template import SourceTemplate

_S3 = re.compile(r"s3://([^/]+)/(.+)")
_LOCATIONS = ("CodeUri", "ContentUri")
_NO_BUCKET = "bucket-of-the-first-deployment"


@dataclass(frozen=True, slots=True)
class Packaged:
    """A template with the S3 locations of its packages."""

    template: SourceTemplate
    package_bytes: int
    """The total size of its packages."""


def pack(source: SourceTemplate, prefix: str, bucket: str | None, s3: Any = None) -> Packaged:
    """Convert a template as `sam deploy --resolve-s3 --s3-prefix PREFIX` does.

    Args:
        source: the built template, whose packages are beside its file.
        prefix: the S3 prefix of the packages.
        bucket: the bucket of the packages; None if it is unknown.
        s3: the boto3 client for S3 that uploads the packages. None: nothing is uploaded.
    Returns:
        the converted template.
    """
    # imported here because it takes a second to load
    from samcli.lib.package.artifact_exporter import Template
    from samcli.lib.package.s3_uploader import S3Uploader
    from samcli.lib.package.uploaders import Uploaders
    from samcli.yamlhelper import yaml_dump

    class Named(S3Uploader):  # type: ignore[misc]  # typed only where it is installed
        """Returns the location of an upload, and uploads only if there is a client for it."""

        def __init__(self) -> None:
            if s3:
                super().__init__(s3, bucket or _NO_BUCKET, prefix, no_progressbar=True)
            else:  # a name is made of these alone, and sam's own class would not do without a client
                self.bucket_name, self.prefix = bucket or _NO_BUCKET, prefix
            self.bytes = 0

        def upload(self, file_name: str, remote_path: str) -> str:
            self.bytes += Path(file_name).stat().st_size
            if s3:
                return str(super().upload(file_name, remote_path))
            return f"s3://{self.bucket_name}/{self.prefix}/{remote_path}"

    class NotSigned:
        """Replaces sam's code signer, which the deployment does not use."""

        def should_sign_package(self, _resource: str) -> bool:
            return False

    named = Named()
    exported = Template(
        source.name,
        str(Path.cwd()),
        Uploaders(named, None),
        NotSigned(),
        template_str=source.text,
        normalize_template=True,
        normalize_parameters=True,
    ).export()
    return Packaged(SourceTemplate("the template", yaml_dump(exported), exported), named.bytes)


def find_bucket(template: SourceTemplate) -> str | None:
    """Find the bucket of a deployed template's packages."""
    return next((bucket for bucket, _key in list_packages(template)), None)


def list_packages(template: SourceTemplate) -> Iterator[tuple[str, str]]:
    """List the packages of a template in S3: buckets and keys."""
    for resource in template.document.get("Resources", {}).values():
        for name in _LOCATIONS:
            if found := _S3.match(str((resource.get("Properties") or {}).get(name, ""))):
                yield found[1], found[2]
