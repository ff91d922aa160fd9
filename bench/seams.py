"""What each step of a request costs on the direct lane, and what the gateway's start costs.

    PYTHONPATH=src PYTHON -m bench.seams [--source NAME=FOLDER ...] [--runs 7] [--streams 200] [--imports]

with the tests' environment as PYTHON. Measures each folder of sources (by default this checkout's) in turns, so that a
busy machine slows all of them. Needs Linux, whose /proc tells a process's time.

Each step of a request is a module of its own. A timer that counts processor time interrupts the application a thousand
times a second and notes which module is at work, with whatever that calls outside of the gateway. A stream of one chunk
tells what a request costs; one of a hundred chunks tells what a chunk adds.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from bench.stalls import ask
from bench.upstream import CHUNKS, running

KEY = "sk-bench"
SHAPES = {"single": 1, "burst": CHUNKS}
"""Models of the upstream, and how many chunks they stream."""

STEPS: Mapping[str, Sequence[str]] = {
    "request, CORS, response head": ("app", "wsgi", "cors"),
    "endpoint match": ("endpoints", "endpoint"),
    "authenticate": ("authentication", "callers", "keys", "settings"),
    "body": ("bodies",),
    "router, attempts": (
        "router",
        "forward",
        "call",
        "config",
        "providers",
        "lanes.__init__",
        "asked",
        "fallbacks",
        "forwarding",
        "policies",
        "timeouts",
    ),
    "lane": ("lanes.direct", "lanes.failures", "lanes.controls", "lanes.edits", "upstreams", "events"),
    "upstream connection": ("http.", "upstream"),
    "meter": ("meter",),
    "dialect": ("dialects.",),
    "model name": (),
    "outcome, log": ("outcome", "log"),
}
"""In the order of a request, by module; a dot at the end stands for all modules of a package."""

_FUNCTIONS = {"rename": "model name", "_body": "model name"}
"""Functions that are a step of their own."""

_SAMPLE_SECONDS = 0.001
_START_SECONDS = 20
_STARTS = 9
"""In a run: they differ most."""


def step_of(module: str, function: str) -> str:
    """The step that a function of the gateway's belongs to."""
    if function in _FUNCTIONS:
        return _FUNCTIONS[function]
    for step, modules in STEPS.items():
        if any(module == name or (name.endswith(".") and module.startswith(name)) for name in modules):
            return step
    return f"other: {module}"


class Sampler:
    """Counts which step is at work. Use as a context."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: the gateway's modules.
        """
        self._folder = f"{folder}{os.sep}"
        self._steps: dict[CodeType, str | None] = {}
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "Sampler":
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _SAMPLE_SECONDS, _SAMPLE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        while frame:
            if step := self._step(frame.f_code):
                self.counts[step] += 1
                return
            frame = frame.f_back

    def _step(self, code: CodeType) -> str | None:
        if code not in self._steps:
            path = code.co_filename.removeprefix(self._folder)
            module = path.removesuffix(".py").replace(os.sep, ".")
            self._steps[code] = step_of(module, code.co_name) if path != code.co_filename else None
        return self._steps[code]


def stream(application: Any, model: str) -> None:
    """Have the application answer a request for a stream, and read it to its end."""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/chat/completions",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {KEY}",
        "wsgi.input": BytesIO(body.encode()),
    }
    statuses: list[str] = []
    answer = application(environ, lambda status, _headers: statuses.append(status))
    for _ in answer:
        pass
    answer.close()
    if statuses != ["200 OK"]:
        raise RuntimeError(f"the gateway answered {statuses}")


def measure_steps(config: Path, streams: int) -> dict[str, dict[str, float]]:
    """Microseconds of processor time that each step costs a stream, by the stream's shape. Runs in its own process."""
    import pennyworth.gateway
    from pennyworth.gateway import config as configuration
    from pennyworth.gateway.app import Gateway
    from pennyworth.gateway.settings import Settings, constant

    environ = {"LITELLM_API_KEYS": KEY}
    settings = Settings.of(configuration.document(config, environ), environ)
    application = Gateway(constant(settings), ["*"])
    folder = Path(str(pennyworth.gateway.__file__)).parent
    found: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        for _ in range(20):
            stream(application, shape)
        began = time.process_time()
        for _ in range(streams):
            stream(application, shape)
        whole = (time.process_time() - began) / streams * 1e6
        with Sampler(folder) as sampler:
            until = time.process_time() + 2.0
            while time.process_time() < until:
                stream(application, shape)
        samples = sampler.counts.total()
        found[shape] = {step: whole * count / samples for step, count in sampler.counts.items()}
    return found


class Gateway:
    """A gateway that runs from some sources."""

    def __init__(self, source: Path, config: Path, **variables: str) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(config.parent),
            "PORT": "0",
            "PYTHONPATH": str(source),
            "PENNYWORTH_CONFIG": str(config),
            "LITELLM_API_KEYS": KEY,
            **variables,
        }
        self._log = config.with_suffix(".log")
        self._said = config.with_suffix(".imports")
        with self._log.open("wb") as log, self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pennyworth.gateway"], env=environ, stdout=log, stderr=said
            )
        self.port = self._wait()

    def _wait(self) -> int:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            for line in self._log.read_text().splitlines():
                if '"listening"' in line:
                    return int(json.loads(line)["port"])
            time.sleep(0.005)
        raise RuntimeError(f"the gateway did not start: {self.stop()}{self._log.read_text()}")

    def processor_ms(self) -> float:
        """What it has used: https://docs.kernel.org/scheduler/sched-stats.html."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def stop(self) -> str:
        """End it; what it wrote to standard error."""
        self._process.kill()
        self._process.wait()
        return self._said.read_text()


def measure_server(source: Path, config: Path, streams: int) -> dict[str, float]:
    """Milliseconds of processor time of a whole gateway: for a stream, and to refuse a wrong key."""
    gateway = Gateway(source, config)
    found: dict[str, float] = {}
    try:
        for name, key, model in (
            ("burst", KEY, "burst"),
            ("single", KEY, "single"),
            ("wrong key", "x", "single"),
        ):
            body = json.dumps(
                {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
            ).encode()
            for _ in range(10):
                ask(gateway.port, "POST", "/v1/chat/completions", body, 10, key=key)
            before = gateway.processor_ms()
            for _ in range(streams):
                ask(gateway.port, "POST", "/v1/chat/completions", body, 10, key=key)
            found[name] = (gateway.processor_ms() - before) / streams
    finally:
        gateway.stop()
    return found


def measure_start(source: Path, config: Path) -> float:
    """Milliseconds of processor time until a gateway listens."""
    gateway = Gateway(source, config)
    try:
        return gateway.processor_ms()
    finally:
        gateway.stop()


def measure_imports(source: Path, config: Path) -> Counter[str]:
    """Microseconds that each module takes by itself to be imported before the gateway listens."""
    said = Gateway(source, config, PYTHONPROFILEIMPORTTIME="1").stop()
    rows = [line.removeprefix("import time:").split("|") for line in said.splitlines() if "|" in line]
    return Counter({name.strip(): int(own) for own, _, name in rows if own.strip().isdigit()})


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in found for name in each)
    return {name: statistics.median(each.get(name, 0.0) for each in found) for name in names}


def report_steps(found: Mapping[str, Sequence[Mapping[str, Mapping[str, float]]]]) -> str:
    """What each step costs a request and a chunk, and its share."""
    columns = {}
    for name, runs in found.items():
        single, burst = (_medians([run[shape] for run in runs]) for shape in SHAPES)
        chunks = SHAPES["burst"] - SHAPES["single"]
        chunk = {step: (burst.get(step, 0) - single.get(step, 0)) / chunks for step in single | burst}
        columns[name] = single, chunk
    order = [*STEPS, *sorted({s for one, many in columns.values() for s in one | many} - STEPS.keys())]
    head = ["step", *(f"{name}, µs a {what}" for name in found for what in ("request", "chunk"))]

    def cells(step: str) -> list[str]:
        return [
            f"{costs.get(step, 0):.1f} ({costs.get(step, 0) / sum(costs.values()):.0%})"
            for pair in columns.values()
            for costs in pair
        ]

    whole = [f"**{sum(costs.values()):.1f}**" for pair in columns.values() for costs in pair]
    return table(head, [*([step, *cells(step)] for step in order), ["**all**", *whole]])


def report_server(found: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """What a whole gateway costs, each beside the first."""
    medians = {name: _medians(runs) for name, runs in found.items()}
    base = next(iter(medians.values()))
    rows = []
    for figure, label in {
        "start": "start until it listens",
        "single": "a stream of one chunk",
        "burst": f"a stream of {CHUNKS} chunks",
        "wrong key": "a request with a wrong key",
    }.items():
        cells = [f"{costs[figure]:.2f} (x{costs[figure] / base[figure]:.2f})" for costs in medians.values()]
        rows.append([label, *cells])
    return table(["CPU, ms", *medians], rows)


def report_imports(found: Mapping[str, Sequence[Counter[str]]], most: int = 15) -> str:
    """What takes longest to import."""
    parts = []
    for name, runs in found.items():
        costs = _medians(runs)
        longest = sorted(costs.items(), key=lambda item: -item[1])[:most]
        rows = [[module, f"{cost / 1000:.1f}"] for module, cost in longest]
        rows.append([f"**all {len(costs)}**", f"**{sum(costs.values()) / 1000:.1f}**"])
        parts.append(table([f"imports of {name}", "ms"], rows))
    return "\n\n".join(parts)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).parents[1]
    parser.add_argument(
        "--source", action="append", metavar="NAME=FOLDER", help="sources to measure (default: now=src)"
    )
    parser.add_argument("--runs", type=int, default=7, help="runs of each figure (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=200, help="streams in a run (default: %(default)s)")
    parser.add_argument("--imports", action="store_true", help="also what takes longest to import")
    parser.add_argument("--steps-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.steps_of:
        results = sys.stdout
        with Path(os.devnull).open("w") as sys.stdout:  # the gateway's log
            found = measure_steps(options.steps_of, options.streams)
        results.write(json.dumps(found))
        return 0
    named = (word.partition("=") for word in options.source or [f"now={root / 'src'}"])
    sources = {name: Path(folder).resolve() for name, _, folder in named}
    steps: dict[str, list[Any]] = {name: [] for name in sources}
    servers: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    imports: dict[str, list[Counter[str]]] = {name: [] for name in sources}
    with running() as address, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        params = {"api_base": f"http://{address}/v1", "api_key": "sk-upstream"}
        entries = [
            {"model_name": shape, "litellm_params": {"model": f"openai/real-{shape}", **params}}
            for shape in SHAPES
        ]
        config.write_text(json.dumps({"model_list": entries}))
        for turn in range(options.runs + 1):
            starts: dict[str, list[float]] = {name: [] for name in sources}
            for _ in range(_STARTS if turn else 0):
                for name, source in sources.items():
                    starts[name].append(measure_start(source, config))
            for name, source in sources.items():
                server = measure_server(source, config, options.streams if turn else 1)
                if turn == 0:  # the first fills the page cache, and writes bytecode
                    continue
                servers[name].append({"start": statistics.median(starts[name]), **server})
                command = [sys.executable, "-m", "bench.seams", "--steps-of", str(config)]
                done = subprocess.run(
                    [*command, "--streams", str(options.streams)],
                    env={**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{root}"},
                    stdout=subprocess.PIPE,
                    check=True,
                )
                steps[name].append(json.loads(done.stdout))
                if options.imports:
                    imports[name].append(measure_imports(source, config))
            print(f"<!-- run {turn} of {options.runs} -->", flush=True)
    parts = [report_server(servers), report_steps(steps)]
    if options.imports:
        parts.append(report_imports(imports))
    print("\n\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
