"""Measures the gateway and its peers; `python3 -m bench` prepares what this needs and runs it."""

import argparse
import contextlib
import http.client
import json
import os
import platform
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.upstream import running
from pennyworth.host.places import made

KEY = "sk-bench"
HERE = Path(__file__).parent
START_SECONDS = 60
MODELS = ("burst", "paced")


@dataclass(frozen=True)
class Contestant:
    """One way to serve a stream."""

    name: str
    command: Callable[[int], Sequence[str | Path]]
    env: Mapping[str, str]


@dataclass
class Running:
    """A contestant that runs."""

    process: "subprocess.Popen[bytes]"
    port: int

    def peak(self) -> float:
        """The most memory that it has held so far, in MiB.

        Its own account of it: what wait4 tells of a child begins with the memory of whoever started it.
        """
        process = psutil.Process(self.process.pid)
        if sys.platform == "linux":
            pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
            return sum(_high_water_mark(pid) for pid in pids) / 1024
        return float(process.memory_info().rss) / 1024**2  # elsewhere at least what it holds now

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _high_water_mark(pid: int) -> int:
    """A process's peak resident memory in KiB: https://docs.kernel.org/filesystems/proc.html."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def contestants(upstream: str, folder: Path, packages: Mapping[str, str]) -> list[Contestant]:
    """Both lanes from the built packages, LiteLLM's proxy, and the least that can be done."""
    python = os.environ["BENCH_PYTHON"]
    base = {"PATH": f"{Path(python).parent}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8"}
    config = folder / "config.yaml"  # JSON is YAML
    config.write_text(json.dumps(_config(upstream, None)))
    forced = folder / "forced.json"
    forced.write_text(json.dumps(_config(upstream, "litellm")))
    gateway = {**base, "LITELLM_API_KEYS": KEY}

    def package(name: str, root: str, config: Path) -> Contestant:
        plain = folder / f"{name.replace(' ', '-')}.json"
        plain.write_text(config.read_text())
        return Contestant(
            name,
            lambda port: ["sh", "-c", f'AWS_LWA_PORT={port} exec "{root}/run.sh"'],
            {**gateway, "PENNYWORTH_CONFIG": str(plain), "LAMBDA_TASK_ROOT": root},
        )

    proxy = {
        **base,
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    proxy |= {"LITELLM_TELEMETRY": "False"}
    litellm = Path(sys.executable).with_name("litellm")
    return [
        Contestant(
            "bare pass-through", lambda port: [python, HERE / "passthrough.py", str(port), upstream], base
        ),
        package("pennyworth, direct lane", os.environ["BENCH_DIRECT"], config),
        package("pennyworth, litellm lane", os.environ["BENCH_LITELLM"], forced),
        *(package(name, str(Path(root).resolve()), config) for name, root in packages.items()),
        Contestant(
            "LiteLLM proxy",
            lambda port: [litellm, "--config", config, "--host", "127.0.0.1", "--port", str(port)],
            proxy,
        ),
    ]


def _config(upstream: str, lane: str | None) -> dict[str, object]:
    params = {"api_base": f"http://{upstream}/v1", "api_key": "sk-upstream"}
    entries = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **params}} for name in MODELS
    ]
    if lane:
        entries = [{**entry, "model_info": {"lane": lane}} for entry in entries]
    return {"model_list": entries, "general_settings": {"master_key": KEY}}


def start(contestant: Contestant) -> Running:
    """Start a contestant on a free port."""
    port = free_port()
    command = [str(word) for word in contestant.command(port)]
    log = (made("bench") / f"{contestant.name.replace(' ', '-').replace(',', '')}.log").open("wb")
    with log:
        process = subprocess.Popen(
            command, env=dict(contestant.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    return Running(process, port)


def stream(port: int, model: str) -> tuple[float, int]:
    """Ask for a stream and read it to its end.

    Returns:
        when its first byte came (time.perf_counter's clock), and how many events it held.
    Raises:
        OSError: nobody answers yet.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    content = response.read1(65536)
    first = time.perf_counter()
    while chunk := response.read1(65536):
        content += chunk
    connection.close()
    if response.status != 200 or b"[DONE]" not in content:
        raise RuntimeError(f"status {response.status}: {content[:500]!r}")
    return first, content.count(b"data: ")


def started(contestant: Contestant) -> tuple[Running, float]:
    """A running contestant, and the milliseconds from its start to its first streamed byte."""
    began = time.perf_counter()
    running = start(contestant)
    until = began + START_SECONDS
    while True:
        try:
            first, _ = stream(running.port, "burst")
            return running, (first - began) * 1000
        except ConnectionError:
            if running.process.poll() is not None or time.perf_counter() > until:
                raise RuntimeError(f"{contestant.name} did not start; see .pennyworth/bench/*.log") from None
            time.sleep(0.002)


def cpu(process: psutil.Process) -> float:
    """Processor milliseconds that a process and its children have used."""
    times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
    return sum(t.user + t.system for t in times) * 1000


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections take: a client that tries again and again
    before its server listens could else be connected to itself."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


Rows = dict[str, dict[str, list[float]]]


def measure(everyone: list[Contestant], runs: int, streams: int) -> Rows:
    """Every figure of everyone, in turns, so that a machine that slows down slows all of them."""
    rows: Rows = {c.name: {figure: [] for figure in FIGURES} for c in everyone}
    for turn in range(runs + 1):
        for contestant in everyone:
            running, milliseconds = started(contestant)
            running.stop()
            if turn:  # the first fills the page cache
                rows[contestant.name]["start"].append(milliseconds)
        progress(f"starts: {turn} of {runs}")
    with contextlib.ExitStack() as stack:
        running_ones = {}
        for contestant in everyone:
            running, _ = started(contestant)
            stack.callback(running.stop)
            running_ones[contestant.name] = running
            for model in MODELS:
                for _ in range(3):
                    stream(running.port, model)
        for turn in range(runs):
            for name, running in running_ones.items():
                process = psutil.Process(running.process.pid)
                for model in MODELS:
                    # the system counts in steps of 10 ms: many of what takes little
                    count = streams * (5 if model == "burst" else 1)
                    before = cpu(process)
                    for _ in range(count):
                        stream(running.port, model)
                    rows[name][model].append((cpu(process) - before) / count)
                rows[name]["memory"].append(running.peak())
            progress(f"streams: {turn + 1} of {runs}")
    return rows


def progress(text: str) -> None:
    """A line for whoever waits."""
    print(f"<!-- {text} -->", flush=True)


FIGURES = {
    "start": "start to first byte, ms",
    "memory": "peak memory after the streams, MiB",
    "burst": "CPU a stream, burst, ms",
    "paced": "CPU a stream, one chunk each 3 ms, ms",
}


def table(rows: Rows) -> str:
    """Medians with their spread, as Markdown, then ratios to the direct lane."""
    names = list(rows)
    lines = ["", "| | " + " | ".join(FIGURES.values()) + " |", "|---|" + "---|" * len(FIGURES)]
    for name in names:
        cells = [
            f"**{statistics.median(v):.3g}** ({min(v):.3g} to {max(v):.3g})"
            for v in (rows[name][figure] for figure in FIGURES)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    base = next(name for name in names if "direct" in name)
    lines += ["", f"As multiples of {base}:", "", "| | " + " | ".join(FIGURES.values()) + " |"]
    lines.append("|---|" + "---|" * len(FIGURES))
    for name in names:
        ratios = (statistics.median(rows[name][f]) / statistics.median(rows[base][f]) for f in FIGURES)
        lines.append(f"| {name} | " + " | ".join(f"{ratio:.2g}" for ratio in ratios) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=5, help="counted runs of each figure (default: %(default)s)"
    )
    parser.add_argument("--streams", type=int, default=20, help="streams in each run (default: %(default)s)")
    parser.add_argument(
        "--package",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="measure a further package without LiteLLM, such as one that `pennyworth build` made of an earlier commit",
    )
    options = parser.parse_args()
    packages = dict(word.split("=", 1) for word in options.package)
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()};"
        f" {options.runs} runs, {options.streams} streams of 100 chunks in each; medians (least to most)",
        flush=True,
    )
    with (
        running(os.environ["BENCH_PYTHON"]) as address,
        tempfile.TemporaryDirectory(dir=made("tmp")) as folder,
    ):
        rows = measure(contestants(address, Path(folder), packages), options.runs, options.streams)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
