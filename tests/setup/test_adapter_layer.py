"""`pennyworth adapter publish`: a copy of the Web Adapter's layer, and a deploy role that may read it."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from tests.shell import REGION, Shell

from pennyworth.local.aws.server import ACCOUNT
from pennyworth.setup import adapter_layer
from pennyworth.setup.adapter_layer import PROGRAM, WRAPPER, LayerUnusable


def program(folder: Path, machine: int = 0xB7) -> Path:
    """A file that begins as a Linux program for a processor does."""
    file = folder / "lambda-adapter"
    file.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + machine.to_bytes(2, "little") + bytes(100))
    return file


def test_a_layer_has_what_lambda_looks_for(tmp_path: Path) -> None:
    layer = adapter_layer.pack(program(tmp_path))
    assert layer == adapter_layer.pack(program(tmp_path))
    adapter_layer.check(layer, "arm64")
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert modes == {WRAPPER: 0o755, PROGRAM: 0o755}
        assert archive.read(WRAPPER).startswith(b"#!/bin/sh\n")


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayerUnusable, match="no Linux program for x86_64"):
        adapter_layer.check(adapter_layer.pack(program(tmp_path)), "x86_64")
    with pytest.raises(LayerUnusable, match="no zip file"):
        adapter_layer.check(b"not one", "arm64")
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(LayerUnusable, match=f"lacks {PROGRAM} and {WRAPPER}"):
        adapter_layer.check(empty.getvalue(), "arm64")


def test_a_copy_is_published_downloaded_and_allowed(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "layer.zip"
    file.write_bytes(adapter_layer.pack(program(tmp_path)))
    done = shell.pennyworth("adapter", "publish", "--region", REGION, "--zip", str(file), "--json")
    assert not done.returncode, done.stderr
    told = json.loads(done.stdout)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:LambdaAdapterLayerArm64:1"
    assert told["arn"] == arn
    assert told["parameters"] == {"WebAdapterLayerArn": arn, "Architecture": "arm64"}

    again = tmp_path / "again.zip"
    words = ("--region", REGION, "--layer", arn, "--zip", str(again))
    done = shell.pennyworth("adapter", "download", *words)
    assert not done.returncode, done.stderr
    assert again.read_bytes() == file.read_bytes()

    shell.bootstrap("--adapter-layer", arn)
    (layers,) = (
        one for one in shell.policy("pennyworth-resources")["Statement"] if one.get("Sid") == "Layers"
    )
    assert f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:LambdaAdapterLayerArm64:*" in layers["Resource"]
    assert told["bootstrap"] == f"pennyworth bootstrap --region {REGION} --adapter-layer {arn}"


def test_the_public_layer_is_the_templates(shell: Shell) -> None:
    done = shell.pennyworth("adapter", "download", "--region", REGION, "--architecture", "x86_64")
    assert done.returncode == 1
    assert f"arn:aws:lambda:{REGION}:753240598075:layer:LambdaAdapterLayerX86:30" in done.stderr
