"""What an edit of a request costs on the direct lane, and what the table of providers costs at the start.

    PYTHONPATH=src PYTHON -m bench.edits [--runs 7] [--requests 300]

with the tests' environment as PYTHON. Makes the body of the same chat completion for several providers, and signs it
where the provider wants that. Figures are processor time, medians of the runs; all are measured in turns.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.call import Attempt, Call, Deadline
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.lanes import direct
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request

PROVIDERS: Mapping[str, str] = {
    "nothing changes": "openai_like/m",
    "the model's name": "openai/gpt-4.1",
    "mistral: all kinds of edits": "mistral/m",
    "bedrock: edited and signed": "bedrock/qwen.qwen3-32b-v1:0",
}
SIZES = (1_000, 10_000, 100_000)
"""Bytes of text in a request's messages."""
_TURN_BYTES = 500
_ENVIRON = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_REGION": "us-east-1"}
_STARTS = 5
"""In a run."""


def make_request(size: int) -> dict[str, Any]:
    """A conversation with this many bytes of text, as a client sends it."""
    roles = ("user", "assistant")
    turns = [
        {"role": roles[at % 2], "content": "word " * (_TURN_BYTES // 5)} for at in range(size // _TURN_BYTES)
    ]
    return {"model": "m", "messages": turns, "max_completion_tokens": 100, "temperature": 0.5}


def prepare(model: str, size: int) -> Callable[[], None]:
    """A function that makes one request for an upstream, up to its connection."""
    params = {"model": model, "api_base": "http://127.0.0.1:9/v1", "api_key": "k"}
    if model.startswith("bedrock"):
        del params["api_key"]
    entry = {"model_name": "m", "litellm_params": params, "model_info": {"lane": "direct"}}
    settings = Settings.of({"model_list": [entry]}, _ENVIRON)
    (deployment,) = settings.config.deployments
    upstream = settings.upstream(deployment)
    upstream.require()
    fields = make_request(size)
    chat = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "chat_completions")
    if model.startswith("openai_like"):
        fields.pop("max_completion_tokens")
    call = Call(
        Request({}, "POST", "/"),
        chat,
        Body(json.dumps(fields).encode(), "application/json", fields),
        "m",
        False,
    )
    attempt = Attempt(deployment, upstream, Deadline())

    def make() -> None:
        body = direct._body(call, direct._fields(call, attempt.upstream, attempt.deployment))
        upstream.sign("POST", f"{upstream.base_url}/chat/completions", upstream.headers, body)

    return make


def measure(make: Callable[[], None], requests: int) -> float:
    """Microseconds of processor time for one request."""
    began = time.process_time()
    for _ in range(requests):
        make()
    return (time.process_time() - began) / requests * 1e6


def measure_import(module: str) -> float:
    """Milliseconds of processor time of a process that imports a module."""
    command = [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; import {module}"]
    times = []
    for _ in range(_STARTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times) * 1000


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.edits", description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--requests", type=int, default=300, help="in a run, for each figure")
    given = parser.parse_args(words)
    made = {(name, size): prepare(model, size) for name, model in PROVIDERS.items() for size in SIZES}
    found: dict[tuple[str, int], list[float]] = {key: [] for key in made}
    modules = {
        "one row's types": "pennyworth.gateway.provider",
        "the whole table": "pennyworth.gateway.providers",
    }
    starts: dict[str, list[float]] = {name: [] for name in modules}
    for run in range(given.runs):
        print(f"run {run + 1} of {given.runs}", file=sys.stderr)
        for key, make in made.items():
            found[key].append(measure(make, given.requests))
        for name, module in modules.items():
            starts[name].append(measure_import(module))
    print("| a request, µs of processor time | " + " | ".join(f"{size // 1000} kB" for size in SIZES) + " |")
    print("|---" * (len(SIZES) + 1) + "|")
    for name in PROVIDERS:
        cells = (f"{statistics.median(found[name, size]):.0f}" for size in SIZES)
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| imported | ms of processor time |\n|---|---|")
    for name, times in starts.items():
        print(f"| {name} | {statistics.median(times):.1f} |")


if __name__ == "__main__":
    main()
