"""A copy of the Lambda Web Adapter's layer in your own account, for where AWS publishes none or no other is allowed."""

import base64
import hashlib
import io
import re
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pennyworth.aws.account import Account
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT

NAMES: Mapping[str, str] = {"arm64": "LambdaAdapterLayerArm64", "x86_64": "LambdaAdapterLayerX86"}
"""The layers' names, the same as AWS's own: the deploy role's policies allow no other."""

PROGRAM, WRAPPER = "extensions/lambda-adapter", "bootstrap"
"""What a layer must contain: Lambda starts the first, and AWS_LAMBDA_EXEC_WRAPPER names the second."""

_WRAPPER = '#!/bin/sh\nexec "$LAMBDA_TASK_ROOT/$_HANDLER"\n'
_PUBLISHERS = {"cn-north-1": "041581134020", "cn-northwest-1": "069767869989"}
"""AWS's accounts with the layer in China. Everywhere else it is the template's."""

_PUBLIC = re.compile(r":(?P<account>\d{12}):layer:\$\{Layer\}:(?P<version>\d+)")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}
"""https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""
_DIRECT_BYTES = 50 * 2**20
"""The largest zip file that Lambda takes in a request."""
_SECONDS = 60.0


class LayerUnusable(OperationFailed):
    """A file is no layer with the Web Adapter. The message says what it lacks."""


def pack(program: Path) -> bytes:
    """Pack a Web Adapter's binary into a layer. The same binary gives the same bytes.

    Returns:
        the zip file.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((WRAPPER, _WRAPPER.encode()), (PROGRAM, program.read_bytes())):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def check(layer: bytes, architecture: str) -> None:
    """Check that a zip file is a layer with the Web Adapter, for a processor.

    Raises:
        LayerUnusable: it is not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(layer)) as archive:
            missing = [name for name in (PROGRAM, WRAPPER) if name not in archive.namelist()]
            head = b"" if missing else archive.read(PROGRAM)[:20]
    except zipfile.BadZipFile as error:
        raise LayerUnusable(f"the file is no zip file: {error}") from error
    if missing:
        raise LayerUnusable(f"the file lacks {' and '.join(missing)}, so it is no layer of the Web Adapter")
    if head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") != _MACHINES[architecture]:
        raise LayerUnusable(f"{PROGRAM} in the file is no Linux program for {architecture}")
    if len(layer) > _DIRECT_BYTES:
        raise LayerUnusable(f"the file has {len(layer) >> 20} MiB, but Lambda takes 50 at once")


def find_public_layer(account: Account, architecture: str) -> str:
    """Return the ARN of AWS's own layer in the account's region, in the version that the template uses."""
    found = _PUBLIC.search((ROOT / "template.yaml").read_text())
    if not found:
        raise LayerUnusable("template.yaml names no public layer. Give one with --layer")
    publisher = _PUBLISHERS.get(account.region, found["account"])
    place = f"arn:{account.partition}:lambda:{account.region}:{publisher}"
    return f"{place}:layer:{NAMES[architecture]}:{found['version']}"


def publish(account: Account, layer: bytes, architecture: str) -> str:
    """Publish a layer in the account and its region, for this account alone.

    Returns:
        the ARN of the new version.
    Raises:
        LayerUnusable: the file is no such layer.
    """
    check(layer, architecture)
    made = account.client("lambda").publish_layer_version(
        LayerName=NAMES[architecture],
        Description="AWS Lambda Web Adapter",
        Content={"ZipFile": layer},
        CompatibleArchitectures=[architecture],
        LicenseInfo="Apache-2.0",
    )
    arn: str = made["LayerVersionArn"]
    return arn


def download(account: Account, arn: str) -> bytes:
    """Download a layer version, such as AWS's own, and check it against the digest that Lambda names.

    Raises:
        LayerUnusable: it is damaged.
    """
    content = account.client("lambda").get_layer_version_by_arn(Arn=arn)["Content"]
    with urllib.request.urlopen(content["Location"], timeout=_SECONDS) as answer:  # noqa: S310 - AWS's own address
        layer: bytes = answer.read()
    digest = base64.b64encode(hashlib.sha256(layer).digest()).decode()
    if digest != content["CodeSha256"]:
        raise LayerUnusable("the download is damaged: its digest is not the one that Lambda names")
    return layer
