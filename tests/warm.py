"""The environment `tools` with its libraries already imported, for tests that run its programs over and over.

A test that deploys waits for what sam does, not for the seconds in which it imports what it will use. `tools()` is a
folder like `environment("tools")`: its `sam` and its `python` take the same words, and each call is a process of its
own with the caller's environment, folder, input and outputs, that ends with its caller and in whose exit status its
caller ends. What is called is forked from a process that has imported sam, or this project's commands, and has done
nothing else. Where Python can not be forked safely (macOS), they are the programs themselves.

`step_python()` is for rehearsals, whose repositories have sources of their own: none of this project's are imported.

`gateway()` starts a gateway from the sources, whose imports, LiteLLM's included, take longer than most of its tests.
"""

import atexit
import gc
import importlib
import json
import os
import random
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

# by program: sam's modules set up logging as they are imported, which is not for this project's commands
MODULES = {
    "sam": (
        "samcli.cli.main",
        "samcli.commands.delete.command",
        "samcli.commands.delete.delete_context",
        "samcli.commands.deploy.command",
        "samcli.commands.deploy.deploy_context",
        "samcli.commands.package.package_context",
    ),
    "python": (
        "boto3",
        "botocore.paginate",
        "botocore.waiter",
        "dns.resolver",
        "pennyworth.cli.bootstrap",
        "pennyworth.cli.credentials",
        "pennyworth.cli.doctor",
        "pennyworth.cli.health",
        "pennyworth.cli.rollback",
        "pennyworth.cli.tighten_passrole",
        "pennyworth.pipeline.deploy.deployment",
        "pennyworth.pipeline.steps.deploy",
        "pennyworth.pipeline.steps.preview",
    ),
    "policy-python": (
        "pennyworth.iam.policy.check",
        "pennyworth.iam.policy.options",
        "pennyworth.iam.policy.readme",
        "pennyworth.iam.policy.template",
        "samtranslator.translator.translator",
    ),
    "step-python": (
        "boto3",
        "botocore.paginate",
        "botocore.waiter",
        "jsonschema",
        "samtranslator.translator.transform",
        "samtranslator.yaml_helper",
    ),
}
GATEWAYS = {
    "gateway": (
        "pennyworth.gateway.lanes.direct",
        "pennyworth.gateway.listener",
        "pennyworth.gateway.server",
    ),
    "litellm-gateway": (
        "boto3",
        "botocore.eventstream",
        "httpcore",
        "litellm",
        "pennyworth.gateway.lanes.direct",
        "pennyworth.gateway.lanes.transport",
        "pennyworth.gateway.listener",
        "pennyworth.gateway.server",
    ),
}
"""The same for gateways, which run in the environment of the tests."""
STEPS = "pennyworth.pipeline.steps"
RUNS_SAM = {"build": "pennyworth.pipeline.build.sam", "deploy": "pennyworth.pipeline.deploy.deployment"}
"""The steps that run sam, and the modules that look it up."""
PROGRAMS = {"policy-python": "python", "step-python": "python"}
"""Those that have another name in the environment: a python that few tests need, with modules that take seconds, and
one with libraries alone."""
SERVICES = ("cloudformation", "cloudwatch", "iam", "lambda", "s3", "ssm", "sts")
SOURCES = str(Path(__file__).resolve().parents[1] / "src")
_READY_SECONDS = 30.0
_LENGTH_BYTES = 4

_CALLER = """#!{python} -IS
import json, os, socket, sys
told = json.dumps([{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [len(told).to_bytes({length}, "big")], [0, 1, 2])
    server.sendall(told)
    server.recv({length})
    answer = server.recv({length})
sys.exit(int.from_bytes(answer, "big") if answer else 70)
"""


@cache
def tools() -> Path:
    """A folder with the programs. Lasts as long as this process."""
    from pennyworth.host.environments import clean_environ, environment

    real = environment("tools")
    if sys.platform != "linux":
        return real
    environ = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
    for name in MODULES:
        address = _begin([real / "python"], name, environ | {"SAM_CLI_TELEMETRY": "0"})
        program = address.with_name(name)
        program.write_text(
            _CALLER.format(
                python=real / "python",
                program=str(real / PROGRAMS.get(name, name)),
                address=str(address),
                length=_LENGTH_BYTES,
            )
        )
        program.chmod(0o755)
    return _folder()


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="warm-", dir="/tmp"))  # a socket's address must be short
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _begin(python: list[str | Path], name: str, environ: Mapping[str, str]) -> Path:
    """Start a process to fork from: the address at which it takes calls."""
    from pennyworth.host.processes import Child

    address = _folder() / f"{name}.socket"
    command = [*python, __file__, name, address]
    server = Child(command, log=_folder() / f"{name}.log", env={**environ, "PYTHONPATH": SOURCES})
    atexit.register(server.stop)
    deadline = time.monotonic() + _READY_SECONDS
    while not address.exists():
        assert server.running() and time.monotonic() < deadline, server.tail()
        time.sleep(0.02)
    return address


@cache
def _gateways(name: str) -> Path:
    own = {variable: os.environ[variable] for variable in ("PATH", "HOME") if variable in os.environ}
    return _begin([sys.executable, "-s"], name, own)


def gateway(environ: Mapping[str, str], folder: Path, *, litellm: bool) -> "subprocess.Popen[str] | Forked":
    """Start `python -m pennyworth.gateway` from the sources.

    Args:
        environ: all that its environment holds, PYTHONPATH excepted.
        folder: its working directory.
        litellm: whether it is going to import LiteLLM.
    """
    words, environ = ["-m", "pennyworth.gateway"], {**environ, "PYTHONPATH": SOURCES}
    if sys.platform == "linux":
        return Forked(_gateways("litellm-gateway" if litellm else "gateway"), words, environ, folder)
    return subprocess.Popen(
        [sys.executable, "-s", *words],
        env=environ,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Forked:
    """A call of a warm Python, as subprocess has it: its two outputs are one, and it ends with this process."""

    def __init__(self, address: Path, words: list[str], environ: Mapping[str, str], folder: Path) -> None:
        told = json.dumps([sys.executable, words, str(folder), dict(environ)]).encode()
        reading, writing = os.pipe()
        self._caller = socket.socket(socket.AF_UNIX)
        self._caller.connect(str(address))
        with Path(os.devnull).open("rb") as nothing, os.fdopen(writing, "wb") as output:
            given = [nothing.fileno(), output.fileno(), output.fileno()]
            socket.send_fds(self._caller, [len(told).to_bytes(_LENGTH_BYTES, "big")], given)
            self._caller.sendall(told)
        self.stdout = os.fdopen(reading, encoding="utf-8")
        self.pid = self._read()
        self._status: int | None = None

    def _read(self) -> int:
        answer = self._caller.recv(_LENGTH_BYTES)
        assert answer, "the process to fork from has ended"
        return int.from_bytes(answer, "big")

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        if self._status is None and select.select([self._caller], [], [], 0)[0]:
            self._status = self._read()
            self._caller.close()
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        if self._status is None:
            select.select([self._caller], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended, as subprocess.Popen has it
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


@cache
def step_python() -> Path:
    """A python3 for the jobs of a rehearsal: the running one, in which the steps of this project's actions are warm."""
    real, warm = Path(sys.executable).resolve(), tools() / "step-python"
    if not warm.exists():
        return real
    program = warm.with_name("python3")
    program.write_text(f'#!/bin/sh\n[ "$1 $2" = "-m {STEPS}" ] && exec "{warm}" "$@"\nexec "{real}" "$@"\n')
    program.chmod(0o755)
    return program


def environment(name: str, python: str | None = None) -> Path:
    """As pennyworth.host.environments has it, with `tools` warm."""
    from pennyworth.host import environments

    return tools() if name == "tools" else environments.environment(name, python)


def read_service_models_once() -> None:
    """Have all of boto3's sessions in this process share the descriptions of services. Reading them takes longer than
    the calls that a test makes."""
    from botocore.loaders import JSONFileLoader

    read = JSONFileLoader.load_file
    loader = JSONFileLoader()
    shared = cache(lambda path: read(loader, path))
    JSONFileLoader.load_file = lambda _, path: shared(path)  # type: ignore[method-assign]


def read_certificates_once() -> None:
    """Have all of httpx's clients in this process share what they know of certificates. Reading them takes longer than
    the requests that a test makes, to addresses without TLS at that."""
    from httpx._transports import default as transports

    transports.__dict__["create_ssl_context"] = cache(transports.__dict__["create_ssl_context"])


def _read_service_models() -> None:
    import botocore.session

    read_service_models_once()
    session = botocore.session.get_session()
    session.set_credentials("-", "-")
    for service in SERVICES:
        session.create_client(service, region_name="us-east-1")


def _prepare(program: str, folder: Path) -> None:
    """Import all, and have a deployment in here use what is warm too."""
    if program == "litellm-gateway":
        from pennyworth.gateway.lanes import bounds, litellm

        os.environ.update({**litellm._ENVIRONMENT, **bounds.ENVIRONMENT})
    for name in MODULES.get(program) or GATEWAYS[program]:
        importlib.import_module(name)
    if program not in ("policy-python", *GATEWAYS):
        _read_service_models()
    if program == "python":
        from pennyworth.pipeline.deploy import deployment

        _have_warm_sam(deployment, folder)
    assert threading.active_count() == 1, "what has threads can not be forked"
    gc.collect()
    gc.freeze()  # or each call's first collection copies all that it shares


def _have_warm_sam(module: ModuleType, folder: Path) -> None:
    """Have a module that runs sam find the warm one."""
    environment = module.__dict__["environment"]

    def warm(name: str, python: str | None = None) -> Path:
        return folder if name == "tools" else Path(environment(name, python))

    module.__dict__["environment"] = warm


def _serve(program: str, address: Path) -> tuple[str, list[str]]:
    """Take calls until the end of the tests: the call, in the process that is to run it. The first one has all
    imported."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address.with_suffix(".new")))
        listener.listen(64)
        address.with_suffix(".new").rename(address)
        prepared = False
        while True:
            caller, _ = listener.accept()
            if not prepared:
                _prepare(program, address.parent)
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                prepared = True
            if os.fork() == 0:
                listener.close()
                return _attended(caller)
            caller.close()


def _attended(caller: socket.socket) -> tuple[str, list[str]]:
    """Take a call, and fork again: the call, in the process that is to run it; the other one never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, outputs, _, _ = socket.recv_fds(caller, _LENGTH_BYTES, 3)
    told = b""
    while len(told) < int.from_bytes(head, "big"):
        told += caller.recv(1 << 16)
    program, words, folder, environ = json.loads(told)
    over, held = os.pipe()
    child = os.fork()
    if child:
        os.close(held)
        _watched(child, caller, over)
    os.setsid()
    caller.close()
    os.close(over)
    for number, output in enumerate(outputs):
        os.dup2(output, number)
        os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    # those of the process that was forked know of its files whether they can be rewound
    buffered = not environ.get("PYTHONUNBUFFERED")
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty(), write_through=not buffered)
    sys.stderr.reconfigure(line_buffering=True)
    if hasattr(time, "tzset"):
        time.tzset()
    tempfile.tempdir = None
    random.seed()
    return program, words


def _watched(child: int, caller: socket.socket, over: int) -> None:
    """Tell a call's number, wait for its end or its caller's, and bring about the other one's."""
    with suppress(OSError):
        caller.sendall(child.to_bytes(_LENGTH_BYTES, "big"))
    ready, _, _ = select.select([caller, over], [], [])
    if over not in ready:  # the caller has ended
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(child, number)
            if select.select([over], [], [], 5)[0]:
                break
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with suppress(OSError):
        caller.sendall((code if code >= 0 else 128 - code).to_bytes(_LENGTH_BYTES, "big"))
    os._exit(0)


def _run(name: str, folder: Path, program: str, words: list[str]) -> Any:
    """Be the program; its exit status, where it does not exit by itself."""
    found = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if Path(program).name == "sam":
        sys.argv = [program, *words]
        status = importlib.import_module("samcli.cli.main").cli()
    elif name == "step-python":
        sys.argv = words[1:]
        sys.path.remove(SOURCES)
        sys.path[:0] = [str(Path.cwd()), *found]
        if module := RUNS_SAM.get(words[2]):
            _have_warm_sam(importlib.import_module(module), folder)
        status = runpy.run_module(words[1], run_name="__main__", alter_sys=True) and 0
    elif words[:1] == ["-m"] and found[:1] == [SOURCES]:
        sys.argv = words[1:]
        sys.path[:0] = [str(Path.cwd()), *found[1:]]
        status = runpy.run_module(words[1], run_name="__main__", alter_sys=True) and 0
    else:  # what was imported is of no use to it
        os.execv(program, [program, *words])  # noqa: S606
    return status


if __name__ == "__main__":
    sys.path.pop(0)  # this folder
    own_name, own_address = sys.argv[1], Path(sys.argv[2])
    sys.exit(_run(own_name, own_address.parent, *_serve(own_name, own_address)))
