"""Start and end AWS on this machine. Standard library only."""

import fcntl
import os
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import Child

ACCOUNT = "123456789012"
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.02


class LocalAwsFailed(RuntimeError):
    """It did not come up; the message holds its last lines."""


class LocalAws:
    """AWS on a free port of 127.0.0.1, from `with` to the end of its block.

    A deployed custom domain is served on the same port, by Host header; an API's own address is
    `{endpoint}/_aws/execute-api/{api}/{stage}/`.
    """

    def __init__(self, *, auth: bool = False, state: Path | None = None, port: int = 0) -> None:
        """Describe it; `with` starts it.

        Args:
            auth: judge signatures, IAM policies and OIDC trust on direct calls.
            state: a folder that keeps what is deployed; by default all is forgotten.
            port: where to listen; 0 takes a free one.
        """
        self._auth = auth
        self._port = port
        self._state = state

    def __enter__(self) -> "LocalAws":
        _remove_abandoned()
        self._folder = Path(tempfile.mkdtemp(prefix="localaws-", dir=made("tmp")))
        self._held = (self._folder / "lock").open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        state = ["--state", str(self._state.resolve())] if self._state else []
        auth = ["--auth"] if self._auth else []
        port = ["--port", str(self._port)]
        own = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
        self._child = Child(
            [
                environment("localaws") / "python",
                "-m",
                "pennyworth.localaws",
                str(self._folder),
                *port,
                *auth,
                *state,
            ],
            log=made("logs") / "localaws.log",
            env={**own, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"},
        )
        try:
            self.endpoint = self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()
        self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def environ(self, region: str = "us-west-2") -> dict[str, str]:
        """What leads `sam`, the AWS CLI and boto3 here and nowhere else.

        Args:
            region: the default one.
        Returns:
            environment variables, to be laid over a process's own.
        """
        sam = made("sam")
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(sam),
            "SAM_CLI_CONFIG_DIR": str(sam),
        }

    def _wait(self) -> str:
        port = self._folder / "port"
        deadline = time.monotonic() + _READY_SECONDS
        while not port.exists():
            if not self._child.running() or time.monotonic() > deadline:
                raise LocalAwsFailed(f"the local AWS did not start:\n{self._child.tail()}")
            time.sleep(_POLL_SECONDS)
        endpoint = f"http://127.0.0.1:{port.read_text()}"
        # the socket listens already, so this waits until it is served
        try:
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            direct.open(f"{endpoint}/_ministack/health", timeout=_READY_SECONDS).close()
        except OSError as error:
            raise LocalAwsFailed(f"the local AWS does not answer ({error}):\n{self._child.tail()}") from error
        return endpoint


def _remove_abandoned() -> None:
    """Remove what a killed command could not: its lock has gone with it."""
    for folder in made("tmp").glob("localaws-*"):
        try:
            with (folder / "lock").open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or not yet made
            continue
        shutil.rmtree(folder, ignore_errors=True)
