"""Thousands of callers before one gateway and one upstream, each in a process of its own.

    python -m tests.gateway.soak --lane direct --requests 20000 --parallel 50

with the tests' environment, from the checkout's root and with PYTHONPATH=src. Each caller's question carries a mark
that its answer repeats; among those who just ask are some who hang up, and some whose upstream stalls, breaks off,
refuses, or sends more than it should. Fails where a caller hears another one's mark, gets neither its answer nor an
error, or waits without end.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gateway.conftest import KEY
from tests.gateway.oddities.caller import ask, faults, strangers
from tests.gateway.oddities.stage import new_mark
from tests.gateway.providers.conftest import PROVIDERS
from tests.gateway.soak_upstream import WIRES

from pennyworth.host.places import ROOT

_HASTY_SECONDS = 0.5
_MOST_FAULTS = 20
_THREADS = 32

MANNERS = {
    "usual": 60,
    "slow": 8,
    "hints": 8,
    "hung-up": 8,
    "error-busy": 4,
    "error-broken": 4,
    "cut": 3,
    "trailing": 3,
    "stalled": 2,
}
"""How often an upstream, or a caller, behaves how."""

_MAY_FAIL = frozenset(["error-busy", "error-broken", "cut", "trailing", "stalled"])


@dataclass
class Report:
    """What came of a run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """How many requests of a manner ended how."""
    faults: list[str] = field(default_factory=list)
    asked: int = 0
    longest: float = 0.0
    """Seconds that the slowest answer took."""
    seconds: float = 0.0
    connections: int = 0
    """How many the upstream was given."""
    memory: dict[str, int] = field(default_factory=dict)
    """The gateway's resident KiB at points of the run."""
    descriptors: int = 0
    threads: int = 0

    def __str__(self) -> str:
        lines = [f"{count:8}  {outcome}" for outcome, count in sorted(self.outcomes.items())]
        memory = ", ".join(f"{size / 1024:.0f} MiB at {point}" for point, size in self.memory.items())
        return "\n".join(
            [
                *lines,
                f"{self.asked} requests in {self.seconds:.1f} s, the slowest {self.longest:.1f} s;"
                f" {self.connections} connections to the upstream",
                f"gateway: {memory}; {self.descriptors} file descriptors, {self.threads} threads at the end",
                *self.faults[:_MOST_FAULTS],
            ]
        )


def soak(
    lane: str,
    requests: int,
    parallel: int,
    *,
    streamed: float = 0.5,
    seconds: float = 900.0,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Send so many requests, some at a time.

    Args:
        lane: `direct`, or a provider of the LiteLLM lane.
        requests: how many in all.
        parallel: how many at a time.
        streamed: the share of them that ask for a stream.
        seconds: after which no further ones are sent.
        seed: of the order in which they come.
        say: is told how far it is, every two seconds.
    """
    report = Report()
    with (
        tempfile.TemporaryDirectory() as folder,
        _upstream(lane, report) as url,
        _gateway(lane, url, Path(folder)) as gateway,
    ):
        crowd = _Crowd(report, gateway, lane, requests, streamed, seconds, random.Random(seed))
        callers = [threading.Thread(target=crowd.run, daemon=True) for _ in range(parallel)]
        for caller in callers:
            caller.start()
        while any(caller.is_alive() for caller in callers):
            pause = time.monotonic() + 2
            for caller in callers:
                caller.join(max(0.0, pause - time.monotonic()))
            crowd.look()
            say(f"{report.seconds:6.1f} s  {report.asked} of {requests} asked, {len(report.faults)} faults")
        time.sleep(1)
        crowd.look(end=True)
    return report


class _Crowd:
    """Callers who take the next request as soon as they are done with one."""

    def __init__(
        self,
        report: Report,
        gateway: "_Gateway",
        lane: str,
        requests: int,
        streamed: float,
        seconds: float,
        chance: random.Random,
    ) -> None:
        self._report = report
        self._gateway = gateway
        self._left = requests
        self._requests = requests
        self._streamed = streamed
        self._lane = lane
        self._began = time.monotonic()
        self._until = self._began + seconds
        self._chance = chance
        self._lock = threading.Lock()

    def run(self) -> None:
        """Ask until nothing is left to ask."""
        while True:
            with self._lock:
                enough = time.monotonic() > self._until or len(self._report.faults) >= _MOST_FAULTS
                if not self._left or enough:
                    return
                self._left -= 1
                manner = self._chance.choices(list(MANNERS), list(MANNERS.values()))[0]
                streamed = self._chance.random() < self._streamed
                patience = self._chance.uniform(0.005, 0.12)
            self._ask(manner, streamed, patience)

    def look(self, end: bool = False) -> None:
        """Note what the gateway takes at this point."""
        report, done = self._report, self._report.asked / self._requests
        points = {"10 %": done >= 0.1, "50 %": done >= 0.5, "the end": end}
        status = self._gateway.status()
        for point, reached in points.items():
            if reached and point not in report.memory:
                report.memory[point] = status["VmRSS"]
        report.threads, report.descriptors = status["Threads"], self._gateway.descriptors()
        report.seconds = time.monotonic() - self._began

    def _ask(self, manner: str, streamed: bool, patience: float) -> None:
        mark = new_mark()
        model = "hasty" if manner == "stalled" else "patient"
        told = "slow" if manner == "hung-up" else manner
        hangs_up = patience if manner == "hung-up" else None
        heard = ask(self._gateway.address, model, mark, streamed, hangs_up=hangs_up, manner=told)
        if manner == "hung-up":
            outcome, found = "over", strangers(heard)
        else:
            found = faults(heard, may_fail=manner in _MAY_FAIL)
            failed = heard.status != 200 or b'"error"' in heard.body
            outcome = "wrong" if found else "an error" if failed else "the answer"
        with self._lock:
            report = self._report
            report.asked += 1
            report.longest = max(report.longest, heard.seconds)
            report.outcomes[f"{manner}, {'streamed' if streamed else 'whole'}: {outcome}"] += 1
            report.faults += [f"{manner}, {mark}: {fault}" for fault in found]


class _Gateway:
    """A gateway with as many threads as a server has."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._listening = threading.Event()
        self._loaded = threading.Event()
        self.address = ""
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, litellm: bool) -> None:
        """Until it answers."""
        if not self._listening.wait(30) or (litellm and not self._loaded.wait(90)):
            raise RuntimeError("the gateway did not start")

    def status(self) -> dict[str, int]:
        """The numbers that Linux has of the process."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        pairs = (line.split(":", 1) for line in lines)
        return {name: int(value.split()[0]) for name, value in pairs if name in ("VmRSS", "Threads")}

    def descriptors(self) -> int:
        """How many files and sockets it holds."""
        return sum(1 for _ in Path(f"/proc/{self._process.pid}/fd").iterdir())

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if '"listening"' in line:
                self.address = f"http://127.0.0.1:{json.loads(line)['port']}"
                self._listening.set()
            elif '"litellm loaded"' in line:
                self._loaded.set()


@contextmanager
def _gateway(lane: str, url: str, folder: Path) -> Iterator[_Gateway]:
    config = folder / "config.json"
    models = [
        {
            "model_name": name,
            "litellm_params": {**_params(lane, url), "timeout": timeout},
            "model_info": {"lane": "direct" if lane == "direct" else "litellm"},
        }
        for name, timeout in {"patient": 20, "hasty": _HASTY_SECONDS}.items()
    ]
    config.write_text(json.dumps({"model_list": models}))
    serve = ["serve", "--config", str(config), "--port", "0", "--threads", str(_THREADS)]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "src"),
        "LITELLM_API_KEYS": KEY,
    }
    with _process(["-m", "pennyworth.cli", *serve], environ, folder) as process:
        running = _Gateway(process)
        running.wait(litellm=lane != "direct")
        yield running


def _params(lane: str, url: str) -> dict[str, Any]:
    if lane == "direct":
        return {"model": "openai/real-name", "api_base": f"{url}/v1", "api_key": "sk-0123456789"}
    provider = PROVIDERS[lane]
    return {
        "model": provider.model,
        **{name: str(value).replace("{url}", url) for name, value in provider.params.items()},
    }


@contextmanager
def _upstream(lane: str, report: Report) -> Iterator[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with _process(["-m", "tests.gateway.soak_upstream", lane], environ, ROOT) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
        report.connections = int(process.stdout.readline())


@contextmanager
def _process(
    arguments: list[str], environ: Mapping[str, str], folder: Path
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-s", *arguments],
        env=dict(environ),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if arguments[1] == "tests.gateway.soak_upstream" else subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gateway.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--lane", choices=list(WIRES), default="direct", help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=20000, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--parallel", type=int, default=50, metavar="N", help="how many at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--streamed",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="the share that asks for a stream (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=900,
        metavar="N",
        help="no further requests after so long (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order in which they come")
    options = parser.parse_args()
    report = soak(
        options.lane,
        options.requests,
        options.parallel,
        streamed=options.streamed,
        seconds=options.seconds,
        seed=options.seed,
        say=lambda line: print(line, flush=True),
    )
    print(report)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
