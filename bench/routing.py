"""Compare routing with LiteLLM's proxy: time-outs, retries, fallbacks, order and shares, in one run.

    PYTHONPATH=src PYTHON -m bench.routing [--calls 30] [--pace 0.5]

Starts the gateway (both lanes) and LiteLLM's proxy, each with the same configuration before the same scripted
upstreams, and asks each of them the same. Prints what the clients got, as Markdown. Takes three minutes.
"""

import argparse
import http.client
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.pipes import end_with_reader
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import Child, raise_on_signals
from pennyworth.host.progress import say, show_anything
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

KEY = "sk-bench-0123456789"
_START_SECONDS = 120
_WORDS = "one two three four five six seven eight"
_BROKEN = Answer(status=500, message="broken")
_TOO_LONG = Answer(status=400, message="This model's maximum context length is 8192 tokens.")


@dataclass(frozen=True)
class Upstreams:
    """What the models lead to."""

    good: ScriptedUpstream
    second: ScriptedUpstream
    slow: ScriptedUpstream
    silent: ScriptedUpstream
    late: ScriptedUpstream
    broken: ScriptedUpstream
    narrow: ScriptedUpstream
    dead: str
    """An address that refuses connections."""


@contextmanager
def start_upstreams(pace: float) -> Iterator[Upstreams]:
    """Start them.

    Args:
        pace: seconds between the words of the slow one.
    """
    with ExitStack() as stack:
        answers = (
            Answer(),
            Answer(),
            Answer(text=_WORDS, pace=pace),
            Answer(text=_WORDS, fault="silence", after=3),
            Answer(delay=pace * 6),
            _BROKEN,
            _TOO_LONG,
        )
        started = [stack.enter_context(ScriptedUpstream(answer)) for answer in answers]
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            yield Upstreams(*started, dead=f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")


def configure(upstreams: Upstreams, pace: float, lane: str | None) -> dict[str, Any]:
    """Return the configuration of all experiments.

    Args:
        upstreams: where the models lead.
        pace: as for `start_upstreams`: whole answers take longer than each time-out, each wait is shorter.
        lane: pennyworth's lane; None for its own choice.
    """
    silence = pace * 3

    def entry(name: str, upstream: ScriptedUpstream | str, **params: Any) -> dict[str, Any]:
        base = upstream if isinstance(upstream, str) else upstream.base_url
        params |= {"model": "openai/m", "api_base": base, "api_key": "sk-upstream"}
        info = {"model_info": {"lane": lane}} if lane else {}
        return {"model_name": name, "litellm_params": params, **info}

    up = upstreams
    return {
        "model_list": [
            entry("drip-stream-timeout", up.slow, stream_timeout=silence),
            entry("drip-timeout", up.slow, timeout=silence),
            entry("drip-global", up.slow),
            entry("silent", up.silent),
            entry("late", up.late, timeout=silence),
            entry("flaky", up.second),
            entry("flaky-twice", up.second, num_retries=2),
            *(entry("half-dead", upstream) for upstream in (up.good, up.broken, up.dead)),
            entry("primary", up.broken),
            entry("narrow", up.narrow),
            entry("backup", up.good),
            entry("ordered", up.good, order=1),
            entry("ordered", up.second, order=2),
            entry("shared", up.good, rpm=900),
            entry("shared", up.second, rpm=100),
        ],
        "litellm_settings": {"request_timeout": silence},
        "router_settings": {
            "fallbacks": [{"primary": ["backup"]}],
            "context_window_fallbacks": [{"narrow": ["backup"]}],
        },
        "general_settings": {"master_key": KEY},
    }


@dataclass(frozen=True)
class Asked:
    """What a client got."""

    status: int
    seconds: float
    events: int
    whole: bool


def ask(port: int, model: str, *, stream: bool = False) -> Asked:
    """Ask for a completion."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    whole = (b"[DONE]" if stream else b"choices") in content
    return Asked(response.status, time.monotonic() - began, content.count(b"data: "), whole)


def _drip(model: str) -> Callable[[int, Upstreams, int], str]:
    def run(port: int, _upstreams: Upstreams, _calls: int) -> str:
        asked = ask(port, model, stream=True)
        end = "whole" if asked.whole else "cut"
        return f"{asked.status}, {asked.events} events in {asked.seconds:.1f} s, {end}"

    return run


def _late(port: int, upstreams: Upstreams, _calls: int) -> str:
    before = len(upstreams.late.requests)
    asked = ask(port, "late")
    count = len(upstreams.late.requests) - before
    return f"{asked.status} in {asked.seconds:.1f} s, {_plural(count)}"


def _plural(count: int) -> str:
    return f"{count} upstream call{'s' * (count > 1)}"


def _flaky(model: str) -> Callable[[int, Upstreams, int], str]:
    def run(port: int, upstreams: Upstreams, _calls: int) -> str:
        before = len(upstreams.second.requests)
        upstreams.second.then(_BROKEN)
        asked = ask(port, model)
        count = len(upstreams.second.requests) - before
        return f"{asked.status}, {_plural(count)}"

    return run


def _half_dead(port: int, _upstreams: Upstreams, calls: int) -> str:
    statuses = Counter(ask(port, "half-dead").status for _ in range(calls))
    return ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items()))


def _fallback(model: str, *, stream: bool = False) -> Callable[[int, Upstreams, int], str]:
    def run(port: int, _upstreams: Upstreams, _calls: int) -> str:
        asked = ask(port, model, stream=stream)
        return f"{asked.status}{'' if asked.whole else ', no answer'}"

    return run


def _shares(model: str) -> Callable[[int, Upstreams, int], str]:
    def run(port: int, upstreams: Upstreams, calls: int) -> str:
        counted = (upstreams.good, upstreams.second)
        before = [len(each.requests) for each in counted]
        for _ in range(calls):
            ask(port, model)
        return " and ".join(
            str(len(each.requests) - count) for each, count in zip(counted, before, strict=True)
        )

    return run


EXPERIMENTS: Mapping[str, Callable[[int, Upstreams, int], str]] = {
    "a stream longer than its `stream_timeout`": _drip("drip-stream-timeout"),
    "a stream longer than its `timeout`": _drip("drip-timeout"),
    "a stream longer than `request_timeout`": _drip("drip-global"),
    "a stream that falls silent": _drip("silent"),
    "an answer later than its `timeout`": _late,
    "fails once, nothing configured": _flaky("flaky"),
    "fails once, `num_retries: 2`": _flaky("flaky-twice"),
    "one of three entries alive": _half_dead,
    "`fallbacks`": _fallback("primary"),
    "`fallbacks`, streamed": _fallback("primary", stream=True),
    "`context_window_fallbacks`": _fallback("narrow"),
    "`order` 1 and 2": _shares("ordered"),
    "`rpm` 900 and 100": _shares("shared"),
}


def contestants(
    folder: Path, upstreams: Upstreams, pace: float
) -> Iterator[tuple[str, Sequence[str], dict[str, str]]]:
    """Yield each contestant's name, command and environment; `{port}` stands for its port."""
    plain = {**clean_environ(), "PYTHONPATH": str(ROOT / "src"), "PORT": "{port}"}
    for lane in ("direct", "litellm"):
        path = folder / f"{lane}.json"
        path.write_text(json.dumps(configure(upstreams, pace, lane)))
        python = environment("gateway" if lane == "direct" else "litellm") / "python"
        env = {**plain, "PENNYWORTH_CONFIG": str(path)}
        yield f"pennyworth, {lane} lane", [str(python), "-m", "pennyworth.gateway"], env
    path = folder / "proxy.yaml"  # JSON is YAML
    path.write_text(json.dumps(configure(upstreams, pace, None)))
    command = [
        str(environment("bench") / "litellm"),
        "--config",
        str(path),
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
    ]
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    yield "LiteLLM's proxy", command, {**clean_environ(), **local}


def measure(
    name: str, command: Sequence[str], env: Mapping[str, str], upstreams: Upstreams, calls: int
) -> dict[str, str]:
    """Run all experiments with one contestant."""
    port = _free_port()
    filled = [word.replace("{port}", str(port)) for word in command]
    environ = {key: value.replace("{port}", str(port)) for key, value in env.items()}
    log = made("bench") / f"routing-{name.replace(' ', '-').replace(',', '')}.log"
    with Child(filled, log=log, env=environ, cwd=ROOT) as child:
        until = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if not child.running() or time.monotonic() > until:
                raise RuntimeError(f"{name} did not start; see {log}")
            time.sleep(0.1)
        rows = {}
        for experiment, run in EXPERIMENTS.items():
            rows[experiment] = run(port, upstreams, calls)
            say(f"{name}: {experiment}: {rows[experiment]}")
        return rows


def _answers(port: int) -> bool:
    try:
        return ask(port, "backup").status == 200
    except (OSError, http.client.HTTPException):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Measure and print."""
    raise_on_signals()
    show_anything()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, what in (
        ("--calls", 30, "calls of each experiment that counts them"),
        ("--pace", 0.5, "seconds between a slow stream's words"),
    ):
        parser.add_argument(name, type=type(default), default=default, help=f"{what} (default: {default})")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=made("tmp")) as folder, start_upstreams(options.pace) as upstreams:
        results = {
            name: measure(name, command, env, upstreams, options.calls)
            for name, command, env in contestants(Path(folder), upstreams, options.pace)
        }
    print(f"| | {' | '.join(results)} |\n|---|{'---|' * len(results)}")
    for experiment in EXPERIMENTS:
        print(f"| {experiment} | {' | '.join(rows[experiment] for rows in results.values())} |")
    return 0


if __name__ == "__main__":
    sys.exit(end_with_reader(main))
