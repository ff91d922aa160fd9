"""How much processor time one malformed request, or one upstream's nonsense, costs everybody else.

    PYTHONPATH=src PYTHON -m bench.stalls [--source FOLDER ...] [--megabytes 4]

with the tests' environment as PYTHON. Starts the gateway from each folder of sources (by default this checkout's), has
its LiteLLM lane answer each case once, and prints processor seconds, the longest that /health took meanwhile, and how
much was logged. Needs Linux, whose /proc tells a process's time.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "sk-bench"
MODELS = {
    "gemini": {"model": "gemini/gemini-2.5-flash", "api_key": "AIza-0123456789"},
    "anthropic": {"model": "anthropic/claude-sonnet-4-5", "api_key": "sk-ant-0123456789"},
}
_PATIENCE_SECONDS = 170.0
"""How long one case may take before it is given up."""


def cases(size: int) -> dict[str, tuple[dict[str, Any], tuple[int, bytes]]]:
    """The cases by name: a request's fields, and what the upstream answers with which status.

    Args:
        size: bytes of what is malformed.
    """
    text = ("lorem ipsum dolor sit amet " * (size // 27 + 1))[:size]
    user = {"role": "user", "content": "hi"}
    function = {"name": "f", "arguments": '{"x": "' + text}
    call = {"id": "c1", "type": "function", "function": function}
    link = {"type": "image_url", "image_url": {"url": "iVBORw0KGgo" + "A" * size}}
    whole = (200, b"{}")
    return {
        "cut tool arguments": ({"messages": [user, {"role": "assistant", "tool_calls": [call]}]}, whole),
        "an orphan tool message": (
            {"messages": [user, {"role": "tool", "tool_call_id": "c9", "content": text}]},
            whole,
        ),
        "raw base64 for an image": ({"messages": [{"role": "user", "content": [link]}]}, whole),
        "an upstream's error": ({"messages": [user]}, (400, text[: size // 2].encode())),
        "an upstream's half a document": (
            {"messages": [user]},
            (200, b'{"x": "' + text[: size // 2].encode()),
        ),
    }


@contextmanager
def upstream() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server that answers as `told["answer"]` says; its address, and what it is told."""
    told: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = told["answer"]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing: a gateway may not want the rest."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def gateway(
    source: Path, address: str, folder: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", int, Path]]:
    """A gateway from some sources that has loaded LiteLLM: its process, its port and its log."""
    entries = [
        {"model_name": name, "litellm_params": {**params, "api_base": address}}
        for name, params in MODELS.items()
    ]
    config, log = folder / "config.json", folder / "log"
    config.write_text(json.dumps({"model_list": entries}))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PORT": "0",
        "PYTHONPATH": str(source),
        "PENNYWORTH_CONFIG": str(config),
        "LITELLM_API_KEYS": KEY,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pennyworth.gateway"], env=environ, stdout=output, stderr=output
        )
    try:
        until = time.monotonic() + 90
        while "litellm loaded" not in (said := log.read_text()):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the gateway did not start: {said}")
            time.sleep(0.1)
        listening = next(json.loads(line) for line in said.splitlines() if '"listening"' in line)
        yield process, int(listening["port"]), log
    finally:
        process.kill()
        process.wait()


def ask(port: int, method: str, path: str, body: bytes | None, seconds: float, *, key: str = KEY) -> int:
    """A request's status; 0 where none came in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(
            method, path, body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        )
        response = connection.getresponse()
        response.read()
        return response.status
    except OSError:
        return 0
    finally:
        connection.close()


def processor_seconds(pid: int) -> float:
    """What a process has used: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(port: int, pid: int, body: bytes) -> tuple[int, float, float]:
    """One case: its status, processor seconds, and the longest that /health took meanwhile."""
    over, longest = threading.Event(), 0.0

    def watch() -> None:
        nonlocal longest
        while not over.wait(0.05):
            began = time.monotonic()
            ask(port, "GET", "/health", None, _PATIENCE_SECONDS)
            longest = max(longest, time.monotonic() - began)

    watcher = threading.Thread(target=watch)
    before = processor_seconds(pid)
    watcher.start()
    status = ask(port, "POST", "/v1/chat/completions", body, _PATIENCE_SECONDS)
    over.set()
    watcher.join()
    return status, processor_seconds(pid) - before, longest


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print a table for each folder of sources."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).parents[1] / "src"
    parser.add_argument(
        "--source", type=Path, action="append", help="a folder of sources (default: this checkout's)"
    )
    parser.add_argument(
        "--megabytes", type=float, default=4, help="how much is malformed (default: %(default)s)"
    )
    options = parser.parse_args(words)
    for source in options.source or [here]:
        print(
            f"\n{source}\n\n| case | model | status | CPU, s | /health, s | logged, kB |\n|---|---|---|---|---|---|"
        )
        with tempfile.TemporaryDirectory() as folder, upstream() as (address, told):
            for name, (fields, answer) in cases(int(options.megabytes * 1_000_000)).items():
                for model in MODELS:
                    told["answer"] = answer
                    body = json.dumps({"model": model, **fields}).encode()
                    with gateway(source.resolve(), address, Path(folder)) as (process, port, log):
                        logged = log.stat().st_size
                        status, seconds, health = measure(port, process.pid, body)
                        logged = log.stat().st_size - logged
                    row = (
                        name,
                        model,
                        str(status or "none"),
                        f"{seconds:.2f}",
                        f"{health:.2f}",
                        f"{logged / 1000:.1f}",
                    )
                    print("| " + " | ".join(row) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
