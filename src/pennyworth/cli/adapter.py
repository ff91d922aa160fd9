"""Build the AWS Lambda Web Adapter, download its layer, or publish a copy of the layer in your own account.

    pennyworth adapter                                     # for the local AWS emulator
    pennyworth adapter download --region us-east-1         # AWS's own layer, into a file
    pennyworth adapter publish --region us-gov-west-1 --zip LambdaAdapterLayerArm64.zip

build, the default, needs cargo (https://rustup.rs), takes a minute or two, and writes to the work folder, which
`pennyworth --help` names. You don't have to build it: without it, the local AWS uses a stand-in that speaks the same
protocols and passes the same tests. To use a binary you already have, put lambda-adapter on PATH, or set
PENNYWORTH_LAMBDA_ADAPTER to its path. To use the stand-in anyway, set PENNYWORTH_LAMBDA_ADAPTER=stand-in.

Functions on AWS use AWS's public layer. Where there is none, as in GovCloud, or where your account may not read it,
publish a copy, with your own AWS credentials. Without --zip, publish builds the layer with cargo. It prints the
layer's ARN and how to use it.
"""

import argparse
import sys
from pathlib import Path

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import Misused, json_option, print_json
from pennyworth.host.progress import say, step
from pennyworth.local.aws import adapter

_ACTIONS = ("build", "download", "publish")
_ARCHITECTURES = ("arm64", "x86_64")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add("action", nargs="?", choices=_ACTIONS, default="build", help="what to do (default: build)")
    add("--again", action="store_true", help="build it even if there already is one")
    add(
        "--architecture",
        choices=_ARCHITECTURES,
        default=_ARCHITECTURES[0],
        help="the layer's processor, that of the stack's parameter Architecture (default: arm64)",
    )
    add(
        "--zip",
        type=Path,
        metavar="FILE",
        help="the layer to publish (default: build one); or where to download to",
    )
    add("--layer", metavar="ARN", help="the layer version to download (default: the template's, AWS's own)")
    stack.aws_options(parser)
    json_option(parser, "the layer's ARN and the settings that use it")


def run(options: argparse.Namespace) -> int:
    """Do what is asked. Returns the exit status."""
    if options.action == "build":
        return _build(again=options.again)
    if options.layer and options.action == "publish":
        raise Misused("--layer is what to download: give the file to publish with --zip")
    go_on_in("tools")
    return _publish(options) if options.action == "publish" else _download(options)


def _build(*, again: bool) -> int:
    """Build the adapter for this machine unless there is one, and print its path."""
    try:
        print((not again and adapter.real()) or adapter.build())
    except adapter.AdapterUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _publish(options: argparse.Namespace) -> int:
    from pennyworth.aws.account import Account
    from pennyworth.setup import adapter_layer

    stack.settle(options)
    account = Account(options.region)
    layer = (
        options.zip.read_bytes()
        if options.zip
        else adapter_layer.pack(adapter.build_for(options.architecture))
    )
    with step(f"publishing {adapter_layer.NAMES[options.architecture]} in {account.region}") as detail:
        arn = adapter_layer.publish(account, layer, options.architecture)
        detail(arn)
    parameters = {"WebAdapterLayerArn": arn, "Architecture": options.architecture}
    bootstrap = f"pennyworth bootstrap --region {account.region} --adapter-layer {arn}"
    if options.json:
        print_json({"arn": arn, "parameters": parameters, "bootstrap": bootstrap})
        return 0
    print(f"Let the deploy role read it:\n    {bootstrap}")
    print("Use it, in the input `parameters` or the variable PARAMETERS:")
    for name, value in parameters.items():
        print(f"    {name}={value}")
    return 0


def _download(options: argparse.Namespace) -> int:
    from pennyworth.aws.account import Account
    from pennyworth.setup import adapter_layer

    stack.settle(options)
    account = Account(options.region)
    arn = options.layer or adapter_layer.find_public_layer(account, options.architecture)
    file = options.zip or Path(f"{adapter_layer.NAMES[options.architecture]}.zip")
    with step(f"downloading {arn}") as detail:
        layer = adapter_layer.download(account, arn)
        adapter_layer.check(layer, options.architecture)
        file.write_bytes(layer)
        detail(f"{len(layer) / 2**20:.1f} MiB")
    say(f"  ✓ {file} written")
    if options.json:
        print_json({"arn": arn, "file": file})
    else:
        print(file)
    return 0
