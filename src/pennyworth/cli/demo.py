"""Run the whole endpoint on this machine: a local AWS, and a real model behind it. You need no AWS account.

    pennyworth demo                        a small language model on this machine
    pennyworth demo --provider openai      OpenAI, with OPENAI_API_KEY from your environment
    pennyworth demo --config config.yaml   your own LiteLLM config file

It runs `sam build` and `sam deploy` against the local AWS, and then the smoke tests. When they have passed, it prints
the base URL, an API key and commands to paste. The base URL is http://127.0.0.1:8080/v1 on each run. The demo then
serves until you press Ctrl-C, and prints a line for each request: time, method, path, model, status and duration.

The first run installs what it needs, about 1.6 GB, and takes a minute or more. Everything is in the work
folder, which `pennyworth --help` names; you can delete it afterwards.
"""

import argparse
import time
from pathlib import Path

from pennyworth.cli.output import Misused, json_option, print_json
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say
from pennyworth.local import demo
from pennyworth.local.demo.announcement import announcement
from pennyworth.local.demo.providers import PROVIDERS

_PORT = 8080
_LAST_PORT = 65535


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    served = parser.add_mutually_exclusive_group()
    served.add_argument(
        "--provider",
        choices=PROVIDERS,
        default="smollm2",
        help="the provider to call, with its credentials from your environment (default: %(default)s, a small model"
        " on this machine)",
    )
    served.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="serve this LiteLLM config file instead. The variables that it needs, such as OPENAI_API_KEY, come from"
        " your environment",
    )
    parser.add_argument(
        "--model",
        help="the model to call, by the provider's name for it (default: depends on the provider)."
        " Has no effect with --config",
    )
    parser.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help=f"the port to listen on, or 0 for any free port (default: {_PORT}; with --check, any free port)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="run the smoke tests, then stop. The exit status is 1 if one fails",
    )
    json_option(parser, "what --check has tested")


def run(options: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C or, with --check, until the smoke tests are done."""
    if options.json and not options.check:
        raise Misused("--json goes with --check: without it, the demo serves until Ctrl-C")
    raise_on_signals("  stopping ...")
    began = time.monotonic()
    port = choose_port(options)
    strict = options.check or not options.config
    serving = False
    try:
        for offer in [] if options.config else demo.offers(options.provider):
            say(f"  ! {offer}")
        with demo.running(options.provider, options.model, port, options.config, strict=strict) as running:
            say(f"  ✓ up and answering after {time.monotonic() - began:.1f} s in total")
            if options.check:
                if options.json:
                    models = [name for name, _ in running.models]
                    print_json({"ok": True, "models": models})
                return 0
            with running.show_requests():
                print(f"\n{announcement(running)}\n", flush=True)
                say("  Serving until you press Ctrl-C. Each request is shown below.")
                serving = True
                running.wait()
    except KeyboardInterrupt:
        say("  stopped; nothing is left running")
        if not serving:
            raise
    return 0


def choose_port(options: argparse.Namespace) -> int:
    """Return the port to listen on; 0 for any free one, so that checks can run at the same time."""
    if options.port is not None:
        return int(options.port)
    return 0 if options.check else _PORT


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _LAST_PORT:
        raise ValueError
    return port


_port.__name__ = "port"  # argparse names it in its message
