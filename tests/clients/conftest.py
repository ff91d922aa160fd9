"""The gateway as `pennyworth serve` runs it, before a provider that does as it is asked."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pennyworth.host.places import ROOT
from tests.clients.matrix import LANES
from tests.clients.upstream import CUT, ObedientUpstream

KEY = "sk-key-of-a-client"
_UPSTREAM_KEY = "sk-upstream-0123456789"


def pytest_addoption(parser: pytest.Parser) -> None:
    """--write: put what this run sees into docs/clients.md."""
    parser.addoption("--write", action="store_true", help="write docs/clients.md from what the run sees")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the gateway. It has the models LANE and LANE-cut for each lane, whose key is KEY."""
    folder = tmp_path_factory.mktemp("gateway")
    with ObedientUpstream(key=_UPSTREAM_KEY) as upstream:
        config = {
            "model_list": [_entry(lane, upstream.base_url, cut) for lane in LANES for cut in (False, True)]
        }
        (folder / "config.json").write_text(json.dumps(config))
        process = subprocess.Popen(
            [sys.executable, "-m", "pennyworth.cli", "serve", "--config", "config.json", "--port", "0"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(ROOT / "src"),
                "LITELLM_API_KEYS": KEY,
            },
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = f"http://127.0.0.1:{_port(process)}"
            for lane in LANES:
                _warm(address, lane)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _entry(lane: str, base_url: str, cut: bool) -> dict[str, object]:
    # the upstream speaks chat completions alone: whatever else a client asks for is translated
    provider = "openai" if lane == "litellm" else "openai_like"
    params = {
        "model": f"{provider}/{CUT if cut else 'real-name'}",
        "api_base": base_url,
        "api_key": _UPSTREAM_KEY,
    }
    return {
        "model_name": f"{lane}-cut" if cut else lane,
        "litellm_params": params,
        "model_info": {"lane": lane},
    }


def _warm(address: str, model: str) -> None:
    """Ask once, so that no client waits for LiteLLM's import."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello."}]}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = Request(f"{address}/v1/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310 http
    with urlopen(request, timeout=300) as answer:  # noqa: S310
        answer.read()


def _port(process: subprocess.Popen[str]) -> int:
    """The port of a gateway, once it listens. Reads on, so that its log never fills the pipe."""
    assert process.stdout
    for line in process.stdout:
        if '"listening"' in line:
            threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True).start()
            return int(json.loads(line)["port"])
    raise AssertionError("the gateway does not start")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HOME of a client's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
