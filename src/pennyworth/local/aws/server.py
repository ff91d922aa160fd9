"""Starts and stops the local AWS emulator. Standard library only."""

import os
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.host.scratch import scratch
from pennyworth.host.source_tree import source_tree

ACCOUNT = "123456789012"
_READY_SECONDS = 60.0
_STATE_SECONDS = 90.0
_POLL_SECONDS = 0.02


class LocalAwsFailed(OperationFailed):
    """The emulator did not start. The message contains the end of its log."""


class LocalAws:
    """The local AWS emulator on 127.0.0.1, for the duration of a `with` block.

    Custom domains are served on the same port, by Host header. An API's own address is
    `{endpoint}/_aws/execute-api/{api}/{stage}/`.
    """

    def __init__(
        self,
        *,
        auth: bool = False,
        state: Path | None = None,
        port: int = 0,
        record: Path | None = None,
        front: str = "",
    ) -> None:
        """Set the options. `with` starts the emulator.

        Args:
            auth: check signatures, IAM policies and OIDC trust of direct calls.
            state: the folder to keep the account's state in. None: keep nothing.
            port: the port to listen on. 0: any free port.
            record: the file to write each direct call to, as IAM sees it. Each line is a JSON object with
                `caller`, `action`, `resource`, `region`, `context` (condition keys) and `allowed`. Implies
                `auth`.
            front: a custom domain to serve at `{endpoint}/v1` and `{endpoint}/health` too, for clients that
                can't resolve it. Calls to AWS below these paths then don't work.
        """
        self._auth = auth or record is not None
        self._port = port
        self._state = state
        self._record = record
        self._front = front

    def __enter__(self) -> "LocalAws":
        options = ["--port", str(self._port), *(["--auth"] if self._auth else [])]
        if self._state:
            options += ["--state", str(self._state.resolve())]
        if self._record:
            options += ["--record", str(self._record.resolve())]
        if self._front:
            options += ["--front", self._front]
        own = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
        with ExitStack() as stack:
            self._folder = stack.enter_context(scratch("localaws"))
            self.log = self._folder / "log"
            stack.callback(self._keep_log)
            self._child = stack.enter_context(
                Child(
                    [
                        environment("localaws") / "python",
                        "-m",
                        "pennyworth.local.aws",
                        self._folder,
                        *options,
                    ],
                    log=self.log,
                    env={**own, "PYTHONPATH": str(source_tree() / "src"), "PYTHONUNBUFFERED": "1"},
                )
            )
            self.endpoint = self._wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def _keep_log(self) -> None:
        with suppress(OSError):
            self.log.replace(made("logs") / "localaws.log")

    def reset(self) -> None:
        """Delete everything, as if it had just started."""
        self._tell("/_ministack/reset")

    def keep(self, name: str) -> None:
        """Save the current state for `restore`, until the end of the block.

        Args:
            name: the name of the saved state. Replaces an earlier one with this name.
        """
        self._tell(f"/_pennyworth/keep?{urllib.parse.urlencode({'name': name})}")

    def restore(self, name: str) -> None:
        """Restore a saved state, and undo everything since.

        Args:
            name: the name of the saved state.
        """
        self._tell(f"/_pennyworth/restore?{urllib.parse.urlencode({'name': name})}")

    def environ(self, region: str = "us-west-2") -> dict[str, str]:
        """Return environment variables that make `sam`, the AWS CLI and boto3 use this emulator.

        Args:
            region: the default region.
        Returns:
            the variables, to add to a process's own.
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
            "SAM_CLI_POLL_DELAY": "0.5",  # seconds between polls; sam's default of 5 is for AWS's rate limits
            "__SAM_CLI_APP_DIR": str(sam),
            "SAM_CLI_CONFIG_DIR": str(sam),
        }

    def _tell(self, path: str) -> None:
        request = urllib.request.Request(f"{self.endpoint}{path}", method="POST")  # noqa: S310 it is ours
        try:
            _direct().open(request, timeout=_STATE_SECONDS).close()
        except OSError as error:
            raise LocalAwsFailed(f"{path} failed ({error}):\n{self._child.tail()}") from error

    def _wait(self) -> str:
        port = self._folder / "port"
        deadline = time.monotonic() + _READY_SECONDS
        while not port.exists():
            if not self._child.running() or time.monotonic() > deadline:
                raise LocalAwsFailed(f"the local AWS did not start:\n{self._child.tail()}")
            time.sleep(_POLL_SECONDS)
        endpoint = f"http://127.0.0.1:{port.read_text()}"
        # the socket is already open, so this waits until it is served
        try:
            _direct().open(f"{endpoint}/_ministack/health", timeout=_READY_SECONDS).close()
        except OSError as error:
            raise LocalAwsFailed(f"the local AWS does not answer ({error}):\n{self._child.tail()}") from error
        return endpoint


def _direct() -> urllib.request.OpenerDirector:
    """Return a URL opener that ignores proxies, for local addresses."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
