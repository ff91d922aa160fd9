"""A built template as `sam deploy` would hand it to CloudFormation, with nothing uploaded.

sam names a package in S3 by a checksum of what is in it. So the same package has the same name as the deployed one, and
another one another name, whether it is there or not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.source_template import SourceTemplate

_S3 = re.compile(r"s3://([^/]+)/")
_LOCATIONS = ("CodeUri", "ContentUri")
_NO_BUCKET = "bucket-of-the-first-deployment"


@dataclass(frozen=True, slots=True)
class Packaged:
    """A template that names its packages by their places in S3."""

    template: SourceTemplate
    package_bytes: int
    """The size of all of its packages together."""


def pack(source: SourceTemplate, prefix: str, bucket: str | None) -> Packaged:
    """Write a template as `sam deploy --resolve-s3 --s3-prefix PREFIX` does.

    Args:
        source: the built template, beside whose file the packages are.
        prefix: what stands before each package's name.
        bucket: where packages are uploaded to; None where that is not known.
    """
    # sam's command line is all that is installed of it, and it takes a second to load
    from samcli.lib.package.artifact_exporter import Template
    from samcli.lib.package.s3_uploader import S3Uploader
    from samcli.lib.package.uploaders import Uploaders
    from samcli.yamlhelper import yaml_dump

    class Named(S3Uploader):  # type: ignore[misc]  # typed only where it is installed
        """Says what an upload would be called."""

        def __init__(self) -> None:
            self.bucket_name = bucket or _NO_BUCKET
            self.prefix = prefix
            self.bytes = 0

        def upload(self, file_name: str, remote_path: str) -> str:
            self.bytes += Path(file_name).stat().st_size
            return f"s3://{self.bucket_name}/{self.prefix}/{remote_path}"

    class NotSigned:
        """Stands for sam's signer of packages, which the deployment does not use."""

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
    """The bucket that a deployed template's packages are in."""
    for resource in template.document.get("Resources", {}).values():
        for name in _LOCATIONS:
            if found := _S3.match(str((resource.get("Properties") or {}).get(name, ""))):
                return found[1]
    return None
