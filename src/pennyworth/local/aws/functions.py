"""Runs Lambda functions as local processes: packages, execution environments, and a pool of environments.

An environment is a runtime process, usually with the Web Adapter, and its own Runtime API. It serves one
invocation at a time and is reused. It ends when its function changes, when it is idle for too long, or when one
of its processes ends.
"""

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pennyworth.local.aws import adapter, bootstrap, runtimes, sandbox
from pennyworth.local.aws.runtime_api import FunctionError, Invocation, RuntimeApi

INIT_SECONDS = float(os.environ.get("PENNYWORTH_INIT_SECONDS") or 20)
"""How long an environment may take until its first invocation.

Lambda allows 10 s, and then a second attempt within the function's timeout. One long attempt fails faster.
"""
IDLE_SECONDS = 300.0
LAST_WORDS_SECONDS = 0.1
"""How long to watch an environment after an error, in case one of its processes is about to end."""
ADAPTER_WRAPPER = "/opt/bootstrap"
RUNTIME = "runtime"

Log = Callable[[str], None]


@dataclass(frozen=True)
class Function:
    """A published function version, or $LATEST.

    Args:
        memory: in MiB. Told to the function, not enforced.
        timeout: the timeout of an invocation, in seconds.
        code: the deployment package, a zip.
    """

    name: str
    version: str
    arn: str
    region: str
    runtime: str
    handler: str
    memory: int
    timeout: float
    log_group: str
    layers: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    code_sha256: str
    code: bytes = field(compare=False, repr=False)


@dataclass(frozen=True)
class Report:
    """The result of an invocation. Durations are in seconds."""

    error: FunctionError | None
    duration: float
    log: str


class Environment:
    """An execution environment of a function."""

    def __init__(
        self, function: Function, log_stream: str, log: Log, *, root: Path, more: dict[str, str]
    ) -> None:
        """Start the environment. It is ready once its runtime asks for an invocation.

        Args:
            function: the function to run.
            log_stream: its name in CloudWatch Logs.
            log: called with each line that the function prints.
            root: the folder that it may write to.
            more: credentials and endpoints, as environment variables.
        """
        self.function = function
        self.idle_since = time.monotonic()
        self._log = log
        self._lines: list[str] = []
        self._settled = threading.Event()
        self._failed = threading.Event()
        self._failure: FunctionError | None = None
        self._current: Invocation | None = None
        self._began = time.monotonic()
        self._first = True
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch = root / uuid.uuid4().hex
        self._api = RuntimeApi(
            {"functionName": function.name, "functionVersion": function.version, "handler": function.handler},
            self._settle,
        )
        self._say(f"INIT_START Runtime Version: {function.runtime}")
        try:
            commands, variables = self._plan(root, log_stream)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", sandbox.__file__, json.dumps(commands)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**variables, **more, **dict(function.variables), **self._ports()},
                cwd=variables["LAMBDA_TASK_ROOT"],
                start_new_session=True,
            )
        except FunctionError as error:
            self._settle(error)
        except (OSError, runtimes.RuntimeMissing, zipfile.BadZipFile) as error:
            self._settle(FunctionError("Runtime.InvalidEntrypoint", str(error)))
        else:
            threading.Thread(target=self._follow, args=(self._process,), daemon=True, name="function").start()

    @property
    def usable(self) -> bool:
        """Return whether it can take another invocation."""
        return self._failure is None

    def invoke(self, invocation: Invocation) -> Report:
        """Run an invocation and wait for its end. Never call this twice at once.

        The response goes to `invocation.receive` as it arrives. The caller must report its end.
        """
        self._say(f"START RequestId: {invocation.request_id} Version: {self.function.version}")
        init = ""
        if self._first:
            self._first = False
            if not self._settled.wait(INIT_SECONDS):
                self._fail(FunctionError("Sandbox.Timedout", f"not ready within {INIT_SECONDS:g} seconds"))
                self._say(
                    f"INIT_REPORT Init Duration: {INIT_SECONDS * 1000:.2f} ms\tPhase: init\tStatus: timeout"
                )
            init = f"\tInit Duration: {(time.monotonic() - self._began) * 1000:.2f} ms"
        began = time.monotonic()
        self._current = invocation  # before `usable` is checked: from here on it hears of a failure
        if self.usable:
            invocation.deadline_ms = int((time.time() + self.function.timeout) * 1000)
            self._api.offer(invocation)
            if not invocation.done.wait(self.function.timeout):
                self._fail(
                    FunctionError(
                        "Sandbox.Timedout", f"Task timed out after {self.function.timeout:.2f} seconds"
                    )
                )
        if self._failure:
            invocation.finish(self._failure)
        self._current = None
        duration = time.monotonic() - began
        if invocation.error:
            self._failed.wait(LAST_WORDS_SECONDS)
            self._say(
                f"RequestId: {invocation.request_id} Error: {invocation.error.message} ({invocation.error.type})"
            )
        self._say(f"END RequestId: {invocation.request_id}")
        self._say(
            f"REPORT RequestId: {invocation.request_id}\tDuration: {duration * 1000:.2f} ms\tBilled Duration: "
            f"{duration * 1000:.0f} ms\tMemory Size: {self.function.memory} MB{init}"
        )
        log, self._lines = "\n".join(self._lines), []
        self.idle_since = time.monotonic()
        return Report(invocation.error, duration, log)

    def close(self) -> None:
        """Kill its processes and delete the files that they wrote."""
        self._failure = self._failure or FunctionError(
            "Runtime.ExitError", "the execution environment has ended"
        )
        self._api.close()
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _plan(self, root: Path, log_stream: str) -> tuple[list[tuple[str, list[str]]], dict[str, str]]:
        """Return the commands to run, and their environment variables."""
        function = self.function
        python = runtimes.programs(function.runtime)
        task_root = unpacked(function, root / "code")
        self._scratch.mkdir(parents=True)
        declared = dict(function.variables)
        wrapper = declared.get("AWS_LAMBDA_EXEC_WRAPPER")
        commands: list[tuple[str, list[str]]]
        if wrapper == ADAPTER_WRAPPER:
            if not function.layers:  # the contents of layers are not available here
                raise FunctionError("Runtime.InvalidEntrypoint", f"no layer provides {wrapper}")
            commands = [
                (RUNTIME, [str(task_root / function.handler)]),
                ("extension lambda-adapter", adapter.command()),
            ]
        elif wrapper:
            raise FunctionError(
                "Runtime.InvalidEntrypoint", f"AWS_LAMBDA_EXEC_WRAPPER={wrapper} is not supported here"
            )
        else:
            commands = [(RUNTIME, [str(python / "python3"), bootstrap.__file__])]
        return commands, {
            "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": str(self._scratch),
            "TMPDIR": str(self._scratch),
            "LAMBDA_TASK_ROOT": str(task_root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": function.handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
        }

    def _ports(self) -> dict[str, str]:
        """Choose a free port for the app: here all environments share the ports of one machine."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        return {"PORT": port, "AWS_LWA_PORT": port, "AWS_LWA_READINESS_CHECK_PORT": port}

    def _follow(self, process: "subprocess.Popen[bytes]") -> None:
        """Log the output of the processes, and notice when they end."""
        for line in process.stdout or ():
            self._say(line.decode(errors="replace").rstrip("\r\n"))
        told = process.stderr.read() if process.stderr else b""
        name, status = json.loads(told) if told else ("environment", process.wait())
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        kind = "Runtime.ExitError" if name == RUNTIME else "Extension.Crash"
        self._fail(FunctionError(kind, f"the {name} ended: {how}"))

    def _settle(self, failure: FunctionError | None) -> None:
        if failure:
            self._fail(failure)
        self._settled.set()

    def _fail(self, failure: FunctionError) -> None:
        """End the environment for a reason, which the current invocation reports."""
        self._failure = self._failure or failure
        self._failed.set()
        self._settled.set()
        if self._current:
            self._current.finish(self._failure)
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def _say(self, line: str) -> None:
        self._lines.append(line)
        self._log(line)


class Functions:
    """The environments of all functions."""

    def __init__(self, root: Path) -> None:
        """Create a pool that stores packages and the functions' files in a folder."""
        self._root = root
        self._idle: dict[str, list[Environment]] = {}
        self._clearings = 0
        self._lock = threading.Lock()

    def invoke(
        self,
        function: Function,
        invocation: Invocation,
        *,
        log: Callable[[str], Log],
        variables: dict[str, str],
    ) -> Report:
        """Run an invocation in an environment, and wait for its end.

        Args:
            function: the function to run.
            invocation: the event and the receiver of the response.
            log: returns the function that writes lines to the log stream of this name, for a new environment.
            variables: credentials and endpoints for a new environment.
        """
        clearings = self._clearings
        environment = self._leased(function, log, variables)
        try:
            return environment.invoke(invocation)
        finally:
            # first, so that a caller who calls again after the last byte finds the environment free
            with self._lock:
                kept = environment.usable and clearings == self._clearings
                if kept:
                    self._idle.setdefault(_key(function), []).append(environment)
            invocation.tell_end()
            if not kept:
                environment.close()

    def discard(self, arn: str) -> None:
        """End the idle environments of a function that was changed or deleted.

        Args:
            arn: the function's ARN, without a version.
        """
        with self._lock:
            stale = [
                one for key in list(self._idle) if _base(key) == _base(arn) for one in self._idle.pop(key)
            ]
        _close(stale)

    def clear(self) -> None:
        """End every idle environment, and each busy one when its invocation has ended."""
        with self._lock:
            self._clearings += 1
            stale = [one for idle in self._idle.values() for one in idle]
            self._idle.clear()
        _close(stale)

    def _leased(
        self, function: Function, log: Callable[[str], Log], variables: dict[str, str]
    ) -> Environment:
        """Return an idle environment of a function, or create one."""
        key, overdue = _key(function), time.monotonic() - IDLE_SECONDS
        with self._lock:
            candidates = self._idle.get(key, [])
            fit = [
                one
                for one in candidates
                if one.usable and one.function == function and one.idle_since > overdue
            ]
            stale = [one for one in candidates if one not in fit]
            environment = fit.pop() if fit else None
            self._idle[key] = fit
        _close(stale)
        if environment is None:
            stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
            environment = Environment(function, stream, log(stream), root=self._root, more=variables)
        return environment


def unpacked(function: Function, root: Path) -> Path:
    """Return the folder with a function's package. Unpacks it on first use."""
    folder = root / hashlib.sha256(function.code_sha256.encode()).hexdigest()[:16]
    with _unpacking:
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            with zipfile.ZipFile(io.BytesIO(function.code)) as package:
                for entry in package.infolist():
                    path = Path(package.extract(entry, partial))
                    if mode := (entry.external_attr >> 16) & 0o777:
                        path.chmod(mode)
            partial.mkdir(parents=True, exist_ok=True)
            partial.rename(folder)
    return folder


_unpacking = threading.Lock()


def _key(function: Function) -> str:
    return f"{_base(function.arn)}:{function.version}"


def _base(arn: str) -> str:
    """Return an ARN without its version: arn:aws:lambda:REGION:ACCOUNT:function:NAME."""
    return ":".join(arn.split(":")[:7])


def _close(environments: list[Environment]) -> None:
    for environment in environments:
        environment.close()
