"""Run the gateway on this machine: the same application that runs in Lambda.

    pennyworth serve --config config.yaml
    LITELLM_MODEL_PROVIDER=openai OPENAI_API_KEY=... LITELLM_API_KEYS=my-key pennyworth serve

The configuration uses LiteLLM's format. Clients must send one of the API keys in LITELLM_API_KEYS
(separated by commas or lines). If it is empty, every call is refused. PROVIDER_CREDENTIALS may hold several
variables, one NAME=value per line; lines that can't be read are logged by number and left out.

If a model needs LiteLLM and it is not installed beside this program, it is installed into the work folder, which
`pennyworth --help` names.
"""

import argparse
import errno
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from pennyworth.cli.environment import go_on_in

_FIRST_PORT, _LAST_PORT = 1024, 65535
"""The ports that anybody may listen on."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a LiteLLM config.yaml (default: $PENNYWORTH_CONFIG)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=4000, metavar="N", help="the port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=64,
        metavar="N",
        help="how many requests to answer at a time (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted. Returns the exit status."""
    if not (find_spec("waitress") and find_spec("yaml")):
        go_on_in("gateway")
    from pennyworth.gateway.config import ConfigError, find, load
    from pennyworth.gateway.server import serve

    try:
        if not find_spec("litellm") and load(options.config or find(os.environ), os.environ).needs_litellm():
            go_on_in("litellm")
        socket.getaddrinfo(options.host, options.port)  # for waitress, an unknown host is a ValueError
        serve(options.host, options.port, os.environ, config=options.config, threads=options.threads)
    except ConfigError as error:
        print(f"pennyworth serve: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"pennyworth serve: {_explain(error, options.host, options.port)}", file=sys.stderr)
        return 1
    return 0


def _explain(error: OSError, host: str, port: int) -> str:
    """Say why nothing can be served, and what to do."""
    if error.filename:
        return str(error)
    another = f"pennyworth serve --port {port + 1 if _FIRST_PORT <= port < _LAST_PORT else 4000}"
    if isinstance(error, socket.gaierror):
        return f"the host {host} does not resolve. Use the address of this machine, such as --host 127.0.0.1"
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is taken by another program. Use another: {another}"
        case errno.EACCES:
            return f"you may not listen on port {port} of {host}. Use another: {another}"
        case errno.EADDRNOTAVAIL:
            return f"this machine does not have the address {host}. Use one that it has, such as --host 127.0.0.1"
        case _:
            return f"can't listen on port {port} of {host}: {error}"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to {_LAST_PORT}, not {text}")
    return int(text)
