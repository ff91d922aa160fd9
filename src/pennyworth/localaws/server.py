"""Start and end AWS on this machine. Standard library only."""

import fcntl
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

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
        options = ["--port", str(self._port), *(["--auth"] if self._auth else [])]
        if self._state:
            options += ["--state", str(self._state.resolve())]
        own = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
        with ExitStack() as stack:
            self._folder = stack.enter_context(_held_folder())
            self._child = stack.enter_context(
                Child(
                    [environment("localaws") / "python", "-m", "pennyworth.localaws", self._folder, *options],
                    log=self._folder / "log",
                    env={**own, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"},
                )
            )
            self.endpoint = self._wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

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


@contextmanager
def _held_folder() -> Iterator[Path]:
    """A folder for one run, locked so that others know it is in use. Its log is kept as the last run's."""
    folder = Path(tempfile.mkdtemp(prefix="localaws-", dir=made("tmp")))
    try:
        with (folder / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder
    finally:
        with suppress(OSError):
            (folder / "log").replace(made("logs") / "localaws.log")
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove what a killed command could not: its lock has gone with it."""
    for folder in made("tmp").glob("localaws-*"):
        try:
            with (folder / "lock").open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or not yet made
            continue
        shutil.rmtree(folder, ignore_errors=True)
