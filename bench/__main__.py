"""Measure what a stream costs: `make bench`, or `python3 -m bench [--runs N] [--streams N]`.

Measures the built package: the time from process start to the first streamed byte, peak memory, and the processor
time of a stream of 100 chunks (all at once, and one every 3 ms). Compares both lanes with LiteLLM's own proxy and with
a plain pass-through.
"""

import sys
import time

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.pipes import end_with_reader
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import Child, raise_on_signals
from pennyworth.host.progress import say, show_anything
from pennyworth.pipeline.build import FUNCTION, Target, sam_build


def main() -> int:
    """Build both packages, then measure them in the environment with LiteLLM's proxy."""
    raise_on_signals()
    show_anything()
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return 0
    target = Target.here()
    packages = {
        name: sam_build(target, config=None, litellm=with_litellm, out=made("bench", name)).parent / FUNCTION
        for name, with_litellm in (("direct", False), ("litellm", True))
    }
    log = made("bench") / "results.md"
    command = [environment("bench") / "python", "-m", "bench.gateway", *sys.argv[1:]]
    env = {
        **clean_environ(),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        "BENCH_PYTHON": sys.executable,
        **{f"BENCH_{name.upper()}": str(path) for name, path in packages.items()},
    }
    with Child(command, log=log, env=env, cwd=ROOT) as child:
        shown, running = 0, True
        while running:
            running = child.running()  # checked first, so that the end of the output is not missed
            text = log.read_text()
            print(text[shown:], end="", flush=True)
            shown = len(text)
            time.sleep(0.3)
        code = child.wait()
    say(f"Results written to {log.relative_to(ROOT) if log.is_relative_to(ROOT) else log}")
    return code


if __name__ == "__main__":
    sys.exit(end_with_reader(main))
