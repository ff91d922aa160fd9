"""Run the gateway on this machine: the same application that runs in Lambda.

    pennyworth serve --config config.yaml
    LITELLM_MODEL_PROVIDER=openai OPENAI_API_KEY=... LITELLM_API_KEYS=my-key pennyworth serve

The configuration uses LiteLLM's format. Clients must send one of the API keys in LITELLM_API_KEYS
(separated by commas or lines). If it is empty, every call is refused. PROVIDER_CREDENTIALS may hold several
variables, one NAME=value per line; lines that can't be read are logged by number and left out.
"""

import argparse
import os
import sys
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a LiteLLM config.yaml (default: $PENNYWORTH_CONFIG)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=4000, metavar="N", help="the port to listen on (default: %(default)s)"
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
    try:
        from pennyworth.gateway.config import ConfigError
        from pennyworth.gateway.server import serve

        serve(options.host, options.port, os.environ, config=options.config, threads=options.threads)
    except ModuleNotFoundError as error:
        print(
            f"pennyworth serve: the package '{error.name}' is missing. In a checkout, run: pip install '.[litellm]'",
            file=sys.stderr,
        )
        return 1
    except (ConfigError, OSError) as error:
        print(f"pennyworth serve: {error}", file=sys.stderr)
        return 1
    return 0
