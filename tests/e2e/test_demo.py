"""The demo as a person runs it: what it prints works, and nothing of it is left, however it ends."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pennyworth.host.places import ROOT, work_dir
from pennyworth.local.demo.deployment import API_DOMAIN
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

PYTHON = str(Path(sys.executable).resolve())
"""The interpreter below the test environment's: a person has no environment."""
PATIENCE_SECONDS = 300
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK")


class Demo:
    """A demo at a terminal of its own, every process that it ever had, and the folders that it must leave alone."""

    def __init__(self, command: list[str], folder: Path, **environ: str) -> None:
        self.foreign = [folder / "home", folder / "tmp"]
        for one in self.foreign:
            one.mkdir()
        bare = {name: value for name, value in os.environ.items() if name not in KEYS}
        own = {"HOME": str(self.foreign[0]), "TMPDIR": str(self.foreign[1]), "PYTHONPATH": str(ROOT / "src")}
        self._terminal, slave = os.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**bare, **own, **environ},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=lambda: os.login_tty(slave),
        )
        os.close(slave)
        self._raw = b""
        self._family: set[tuple[int, str]] = set()
        self._over, self._hung_up = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._read, self._watch)]
        for thread in self._threads:
            thread.start()

    @property
    def text(self) -> str:
        """What stands on the terminal."""
        return self._raw.decode(errors="replace").replace("\r\n", "\n")

    def until(self, said: str) -> None:
        """Wait until it says something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while said not in self.text:
            assert self.process.poll() is None, f"it ended before {said!r}:\n{self.text}"
            assert time.monotonic() < deadline, f"no {said!r}:\n{self.text}"
            time.sleep(0.05)
        self._look()

    def hang_up(self) -> None:
        """Close the terminal."""
        self._look()
        self._hung_up.set()
        self._threads[0].join(PATIENCE_SECONDS)
        os.close(self._terminal)
        self._terminal = -1

    def ended(self) -> int:
        """Wait for its end: its exit status, after looking for what it left."""
        status = self.process.wait(PATIENCE_SECONDS)
        deadline = time.monotonic() + 15
        while (left := self._family & _processes().keys()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.close()
        assert not left, f"left running: {[_command(pid) for pid, _ in left]}"
        assert len(self._family) > 1, "its processes were not seen"
        strays = [str(path) for folder in self.foreign for path in folder.rglob("*")]
        assert strays == [], "written outside the project's folder"
        return status

    def close(self) -> None:
        """Stop looking, and end it if it still runs."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def _read(self) -> None:
        fcntl.fcntl(self._terminal, fcntl.F_SETFL, os.O_NONBLOCK)
        while not (self._over.is_set() or self._hung_up.is_set()):
            try:
                self._raw += os.read(self._terminal, 65536)
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # the other side is closed
                return

    def _watch(self) -> None:
        while not self._over.wait(0.4):
            self._look()

    def _look(self) -> None:
        parents = _processes()
        family = {pid for pid, _ in self._family} | {self.process.pid}
        grown = True
        while grown:
            more = {key[0] for key, parent in parents.items() if parent in family} - family
            family |= more
            grown = bool(more)
        self._family |= {key for key in parents if key[0] in family}


def _processes() -> dict[tuple[int, str], int]:
    """Each process's parent, by its number and the time of its start. Those that only wait to be reaped don't count."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,lstart="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split(None, 3) for line in listing.splitlines())
    return {(int(pid), start): int(parent) for pid, parent, state, start in rows if state[0] != "Z"}


def _command(pid: int) -> str:
    found = subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return found.stdout.strip()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts a demo."""
    started: list[Demo] = []

    def begin(*words: str, **environ: str) -> Demo:
        started.append(Demo([PYTHON, "-m", "pennyworth.cli", "demo", *words], tmp_path, **environ))
        return started[-1]

    yield begin
    for demo in started:
        demo.close()


def test_make_demo_check(tmp_path: Path) -> None:
    demo = Demo(["make", "demo", f"PYTHON={PYTHON}", "ARGS=--check"], tmp_path)
    try:
        assert demo.ended() == 0, demo.text
    finally:
        demo.close()
    for check in ("it answers", "it streams its answer"):
        for model in ("smollm2-135m", "smollm2-135m-litellm"):
            assert f"✓ {check} [{model}]" in demo.text
    assert demo.text.count("Paris") == 2
    assert "✗" not in demo.text


def test_what_it_prints_works_until_ctrl_c(start: Callable[..., Demo], tmp_path: Path) -> None:
    port = free_port()
    demo = start("--port", str(port), OPENAI_API_KEY="sk-not-to-be-used")
    demo.until("Serving until you press Ctrl-C.")
    assert "OPENAI_API_KEY is set. To use OpenAI: make demo ARGS='--provider openai'" in demo.text
    commands = re.findall(r"^curl .*?\}'$", demo.text, re.MULTILINE | re.DOTALL)
    assert len(commands) >= 2
    for command in commands:
        answer = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
        assert "Paris" in answer.stdout, (command, answer)
        assert answer.stdout.startswith("data: ") == ('"stream": true' in command)
    program = re.search(r"^from openai .*?(?=^  See)", demo.text, re.MULTILINE | re.DOTALL)
    assert program
    answer = subprocess.run([sys.executable, "-c", program[0]], capture_output=True, text=True, check=False)
    assert "Paris" in answer.stdout, answer
    # read by nobody else, and the same the next time
    key = work_dir() / "demo" / "api-key"
    assert key.read_text().strip() in demo.text
    assert key.stat().st_mode & 0o777 == 0o600
    url = f"http://127.0.0.1:{port}/v1"
    assert f"\nexport OPENAI_BASE_URL={url}\nexport OPENAI_API_KEY={key.read_text()}" in demo.text
    assert f"aws --endpoint-url http://127.0.0.1:{port} --region us-west-2" in demo.text
    for at, host in ((url, ""), (f"http://127.0.0.1:{port}", ""), (url.removesuffix("/v1"), API_DOMAIN)):
        health = urllib.request.Request(f"{at}/health", headers={"Host": host} if host else {})  # noqa: S310
        with urllib.request.urlopen(health, timeout=30) as answer:  # noqa: S310
            assert json.load(answer) == {"status": "ok"}
    # each request is shown, and the log that it is read from is there
    demo.until("GET   /v1/health  -  200")
    shown = re.findall(
        r"^  \d\d:\d\d:\d\d  POST  /v1/chat/completions  (\S+)  200  \d+ ms", demo.text, re.MULTILINE
    )
    assert len(shown) == len(commands) + 1
    assert {*shown} == {"smollm2-135m", "smollm2-135m-litellm"}
    (log,) = (ROOT / path for path in re.findall(r"^  logs +(\S+)", demo.text, re.MULTILINE))
    until = time.monotonic() + 10  # the last requests' lines may still be on their way
    while log.read_text().count('"message": "request"') < len(shown) + 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert key.read_text().strip() not in log.read_text()
    before = time.monotonic()
    os.write(demo._terminal, b"\x03")
    while "stopping ..." not in demo.text:
        assert time.monotonic() < before + 1
        time.sleep(0.01)
    os.write(demo._terminal, b"\x03")  # an impatient one changes nothing
    assert demo.ended() == 0
    assert "Traceback" not in demo.text
    assert "nothing is left running" in demo.text
    assert list((work_dir() / "demo").glob("parameters-*")) == []


@pytest.mark.parametrize(
    ("stage", "end", "status"),
    [
        ("starting the local AWS", lambda demo: demo.process.send_signal(signal.SIGTERM), 130),
        ("sam deploy ...", Demo.hang_up, None),
        ("✓ it answers [smollm2-135m-litellm]", lambda demo: demo.process.kill(), -signal.SIGKILL),
    ],
    ids=["terminated", "terminal closed", "killed"],
)
def test_nothing_is_left_of_one_that_is_stopped(
    start: Callable[..., Demo], stage: str, end: Callable[[Demo], None], status: int | None
) -> None:
    demo = start()
    demo.until(stage)
    time.sleep(1)  # into the stage
    demo._look()
    end(demo)
    assert demo.ended() == status or (status is None and demo.process.returncode)


def test_a_failure_leaves_nothing_and_says_what_to_do(start: Callable[..., Demo], tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text(
        "model_list:\n"
        "  - model_name: own\n"
        "    litellm_params: {model: openai/real, api_key: os.environ/OWN_KEY}\n"
        "  - model_name: usual\n"
        "    litellm_params: {model: openai/real}\n"
    )
    with ScriptedUpstream(Answer(status=401, message="that key is too old")) as openai:
        keys = {"OWN_KEY": "sk-'own'#1", "OPENAI_API_KEY": "sk-from-here", "OPENAI_BASE_URL": openai.base_url}
        demo = start("--check", "--config", str(config), **keys)
        assert demo.ended() == 1
    assert "✗ it answers [own]" in demo.text
    assert "✗ it answers [usual]" in demo.text
    assert "Bearer sk-'own'#1" in {request.headers["authorization"] for request in openai.requests}
    assert "The end of the function's log:" in demo.text
    assert "sk-from-here" not in demo.text
    assert openai.requests[-1].headers["authorization"] == "Bearer sk-from-here"


def test_a_provider_without_credentials_is_refused_at_once(start: Callable[..., Demo]) -> None:
    demo = start("--provider", "anthropic")
    assert demo.process.wait(30) == 1
    assert "needs ANTHROPIC_API_KEY" in demo.text


def test_what_can_not_be_started_is_told_in_a_line(start: Callable[..., Demo], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start("--port", str(port))
        assert demo.process.wait(30) == 1
        demo.close()
    assert re.fullmatch(rf"[^\n]*port {port} [^\n]*--port[^\n]*\n", demo.text)
    for folder in demo.foreign:
        folder.rmdir()
    demo = start("--check", "--config", str(tmp_path / "missing.yaml"))
    assert demo.process.wait(30) == 1
    demo.close()
    assert demo.text == f"pennyworth demo: There is no file {tmp_path / 'missing.yaml'}.\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
