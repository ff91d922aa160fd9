"""`pennyworth serve`: what it says where it can't listen, and where it finds its packages."""

import argparse
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.cli import serve as cli_serve
from pennyworth.gateway import server
from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of this machine that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def serve(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment("gateway") / "python", "-m", "pennyworth.cli", "serve", *words],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "LITELLM_MODEL_PROVIDER": "openai",
            "OPENAI_API_KEY": "sk-any",
            "LITELLM_API_KEYS": "sk-mine",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_taken_port_is_named_with_another_to_use(taken: int, host: str) -> None:
    done = serve("--host", host, "--port", str(taken))
    assert done.returncode == 1
    *log, line = done.stderr.splitlines()
    assert line.startswith(f"pennyworth serve: port {taken} of {host} is taken")
    assert f"pennyworth serve --port {taken + 1 if taken < 65535 else 4000}" in line
    assert "Traceback" not in done.stderr
    assert all(entry.startswith("{") for entry in log)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "nowhere.invalid"), "the host nowhere.invalid does not resolve"),
        (("--host", "192.0.2.1"), "this machine does not have the address 192.0.2.1"),
        (("--config", "no-such.yaml"), "no-such.yaml"),
    ],
)
def test_what_else_keeps_it_from_serving_is_one_line(words: tuple[str, ...], said: str) -> None:
    done = serve(*words)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none_is_wrong_usage(port: str) -> None:
    done = serve("--port", port)
    assert done.returncode == 2
    assert f"expected a port from 0 to 65535, not {port}" in done.stderr


@pytest.mark.parametrize(
    ("model", "missing", "asked"),
    [
        ("anthropic/claude-opus", {"litellm"}, ["litellm"]),
        ("anthropic/claude-opus", set(), []),
        ("groq/llama", {"litellm"}, []),
        ("groq/llama", {"waitress", "litellm"}, ["gateway"]),
    ],
)
def test_what_is_missing_comes_from_an_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, missing: set[str], asked: list[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"model_list: [{{model_name: m, litellm_params: {{model: {model}}}}}]\n")
    taken: list[str] = []
    monkeypatch.setattr(cli_serve, "find_spec", lambda name: None if name in missing else object())
    monkeypatch.setattr(cli_serve, "go_on_in", taken.append)
    monkeypatch.setattr(server, "serve", lambda *_words, **_options: None)
    parser = argparse.ArgumentParser()
    cli_serve.arguments(parser)
    assert cli_serve.run(parser.parse_args(["--config", str(config)])) == 0
    assert taken == asked
