"""Deploy an endpoint to a local AWS emulator, with a real model behind it. You need no AWS account.

    pennyworth demo
    pennyworth demo --provider openai

Runs `sam build` and `sam deploy`, runs the smoke tests against the deployed API through its custom domain,
prints how to call it, and serves until you press Ctrl-C. Everything it creates is in .pennyworth/ inside this
folder.
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
        help="the model's provider; credentials come from the environment (default: smollm2, a small local model)",
    )
    parser.add_argument(
        "--model", help="the model to ask, by the provider's name for it (default: depends on the provider)"
    )
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: any free port)")
    parser.add_argument("--check", action="store_true", help="run the smoke tests, then exit")


def run(options: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C or, with --check, until the smoke tests are done."""
    raise_on_signals()
    began = time.monotonic()
    for offer in demo.offers(options.provider):
        say(f"  ! {offer}")
    serving = False
    try:
        with demo.running(options.provider, options.model, options.port) as running:
            say(f"  ✓ up and answering after {time.monotonic() - began:.1f} s in total")
            if options.check:
                return 0
            text = announcement(running.endpoint, running.key, running.models, running.config)
            print(f"\n{text}\n", flush=True)
            say("  Serving until you press Ctrl-C.")
            serving = True
            running.wait()
    except OperationFailed as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\n  stopped; nothing is left running")
        if not serving:
            raise
    return 0
