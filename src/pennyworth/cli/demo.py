"""Your own endpoint on a local AWS, with a real model behind it, in one command.

Builds with `sam build`, deploys with `sam deploy`, tries the deployed API through its custom domain, and serves
until Ctrl-C. Needs no account; everything it makes lies in .pennyworth/ inside this folder.
"""

import argparse
import time

from pennyworth.host.errors import OperationFailed
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say
from pennyworth.local import demo
from pennyworth.local.demo.announcement import announcement
from pennyworth.local.demo.providers import PROVIDERS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--provider",
        choices=PROVIDERS,
        default="smollm2",
        help="who answers (default: smollm2, a small model on this machine); credentials come from the environment",
    )
    parser.add_argument("--model", help="the provider's name of the model to ask")
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: any free port)")
    parser.add_argument("--check", action="store_true", help="ask every lane, streamed and not, and leave")


def run(options: argparse.Namespace) -> int:
    """Run the demo until it is interrupted, or until it is tried."""
    raise_on_signals()
    began = time.monotonic()
    for offer in demo.offers(options.provider):
        say(f"  ! {offer}")
    serving = False
    try:
        with demo.running(options.provider, options.model, options.port) as running:
            say(f"  ✓ up and answering after {time.monotonic() - began:.1f} s in all")
            if options.check:
                return 0
            text = announcement(running.endpoint, running.key, running.models, running.config)
            print(f"\n{text}\n", flush=True)
            say("  Serving until Ctrl-C.")
            serving = True
            running.wait()
    except OperationFailed as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\n  ended; nothing is left running")
        if not serving:
            raise
    return 0
