"""Start and end AWS on this machine. Standard library only."""

import os
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import Child
from pennyworth.host.scratch import scratch

ACCOUNT = "123456789012"
_READY_SECONDS = 30.0
_STATE_SECONDS = 90.0
_POLL_SECONDS = 0.02


class LocalAwsFailed(OperationFailed):
    """It did not come up; the message holds its last lines."""


class LocalAws:
    """AWS on a free port of 127.0.0.1, from `with` to the end of its block.

    A deployed custom domain is served on the same port, by Host header; an API's own address is
    `{endpoint}/_aws/execute-api/{api}/{stage}/`.
    """

    def __init__(
        self, *, auth: bool = False, state: Path | None = None, port: int = 0, record: Path | None = None
    ) -> None:
        """Describe it; `with` starts it.

        Args:
            auth: judge signatures, IAM policies and OIDC trust on direct calls.
            state: a folder that keeps what is deployed; by default all is forgotten.
            port: where to listen; 0 takes a free one.
            record: a file that takes each direct call as IAM sees it, a JSON object a line: `caller`, `action`,
                `resource`, `region`, `context` (condition keys) and whether it was `allowed`. Takes `auth` with it.
        """
        self._auth = auth or record is not None
        self._port = port
        self._state = state
        self._record = record

    def __enter__(self) -> "LocalAws":
        options = ["--port", str(self._port), *(["--auth"] if self._auth else [])]
        if self._state:
            options += ["--state", str(self._state.resolve())]
        if self._record:
            options += ["--record", str(self._record.resolve())]
        own = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
        with ExitStack() as stack:
            self._folder = stack.enter_context(scratch("localaws"))
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
                    log=self._folder / "log",
                    env={**own, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"},
                )
            )
            self.endpoint = self._wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def _keep_log(self) -> None:
        with suppress(OSError):
            (self._folder / "log").replace(made("logs") / "localaws.log")

    def reset(self) -> None:
        """Forget all that there is, as if it had started anew."""
        self._tell("/_ministack/reset")

    def keep(self, name: str) -> None:
        """Keep all that there is at this moment for `restore`, until the end of the block.

        Args:
            name: the moment's. One that was kept under it before is replaced.
        """
        self._tell(f"/_pennyworth/keep?{urllib.parse.urlencode({'name': name})}")

    def restore(self, name: str) -> None:
        """Go back to a moment that was kept: what has come since is gone, what was changed or deleted is as it was.

        Args:
            name: the moment's.
        """
        self._tell(f"/_pennyworth/restore?{urllib.parse.urlencode({'name': name})}")

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
            "SAM_CLI_POLL_DELAY": "0.5",  # seconds between looks at a stack; sam's own 5 spare AWS's rate limits
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
        # the socket listens already, so this waits until it is served
        try:
            _direct().open(f"{endpoint}/_ministack/health", timeout=_READY_SECONDS).close()
        except OSError as error:
            raise LocalAwsFailed(f"the local AWS does not answer ({error}):\n{self._child.tail()}") from error
        return endpoint


def _direct() -> urllib.request.OpenerDirector:
    """What opens an address of this machine, whatever proxy is set."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
