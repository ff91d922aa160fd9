"""A real gateway process before a real upstream, for tests over real sockets."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from tests import warm

from pennyworth.gateway import config as configuration
from pennyworth.host.places import ROOT
from pennyworth.local.llm.scripted import ScriptedUpstream

warm.read_certificates_once()

KEY = "key-of-a-test"
UPSTREAM_KEY = "sk-upstream-0123456789"


class RunningGateway:
    """A gateway in a process of its own."""

    def __init__(
        self,
        config: Mapping[str, Any] | None,
        env: Mapping[str, str],
        package: Path | None,
        folder: Path,
        *,
        fresh: bool = False,
    ) -> None:
        """
        Args:
            config: a LiteLLM configuration; None for none.
            env: what its environment holds beside PATH and HOME.
            package: a built function package to run from; the sources by default.
            folder: takes the configuration.
            fresh: whether it is to import all by itself, as one from a package does, and be nobody's copy.
        """
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PORT": "0", **env}
        if config is not None:
            path = folder / "config.json"
            path.write_text(json.dumps(config))
            environ["PENNYWORTH_CONFIG"] = str(path)
        self.lines: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | warm.Forked
        if not (package or fresh):
            self._process = warm.gateway(environ, folder, litellm=_needs_litellm(environ))
        else:
            # a package must hold all that it needs: -S keeps this environment's own packages away
            isolation = ["-S"] if package else []
            self._process = subprocess.Popen(
                [sys.executable, "-s", *isolation, "-m", "pennyworth.gateway"],
                env={**environ, "PYTHONPATH": str(package or ROOT / "src")},
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.output: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        listening = self.logged(lambda line: line.get("message") == "listening")
        self.address = f"http://127.0.0.1:{listening['port']}"
        self.base_url = f"{self.address}/v1"

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.output.append(line)
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                continue

    def logged(self, fits: Callable[[dict[str, Any]], bool], seconds: float = 20) -> dict[str, Any]:
        """The first log line that fits, waited for."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in list(self.lines):
                if fits(line):
                    return line
            if self._process.poll() is not None and not self.lines:
                break
            time.sleep(0.01)
        raise AssertionError("no such line in the log:\n" + "".join(self.output))

    def client(self, **options: Any) -> OpenAI:
        """The official SDK, without retries of its own."""
        return OpenAI(
            **{"base_url": self.base_url, "api_key": KEY, "max_retries": 0, "timeout": 60, **options}
        )

    def rss(self) -> int:
        """Its resident memory in KiB (Linux)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it, without waiting for what still runs."""
        for _ in range(2):
            if self._process.poll() is None:
                self._process.terminate()
                time.sleep(0.05)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _needs_litellm(environ: Mapping[str, str]) -> bool:
    try:
        return configuration.load(configuration.find(environ), environ).needs_litellm()
    except configuration.ConfigError:  # which the gateway will tell
        return False


Start = Callable[..., RunningGateway]


@pytest.fixture
def start_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts gateways: `start_gateway(config, env={...}, package=None, fresh=False)`."""
    with ExitStack() as stack:

        def start(
            config: Mapping[str, Any] | None,
            *,
            env: Mapping[str, str] | None = None,
            package: Path | None = None,
            fresh: bool = False,
        ) -> RunningGateway:
            folder = tmp_path_factory.mktemp("gateway")
            environ = {"LITELLM_API_KEYS": KEY, **(env or {})}
            running = RunningGateway(config, environ, package, folder, fresh=fresh)
            stack.callback(running.stop)
            return running

        yield start


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """An OpenAI-compatible upstream that does as it is told."""
    with ScriptedUpstream(key=UPSTREAM_KEY) as scripted:
        yield scripted


@pytest.fixture
def gateway(start_gateway: Start, upstream: ScriptedUpstream) -> RunningGateway:
    """A gateway with one direct model, `smart`, before the upstream."""
    params = {"model": "openai/real-name", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    return start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]})
