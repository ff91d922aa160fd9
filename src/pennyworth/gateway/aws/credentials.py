"""Where the function's own AWS credentials come from: its environment, or the container that it runs in.

Lambda puts a role's credentials into the environment, but with SnapStart hands them out by HTTP, as ECS and EKS do:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pennyworth.gateway.aws.signing import Credentials, NoCredentials
from pennyworth.gateway.http import client
from pennyworth.gateway.http.errors import HttpError

CredentialSource = Callable[[], Credentials]
"""Gives credentials that are valid now. Raises NoCredentials."""

FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"

_ECS = "http://169.254.170.2"
_TRUSTED = frozenset(["127.0.0.1", "::1", "localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"])
"""Hosts that may be asked without TLS: this machine, ECS and EKS."""

_ASK_SECONDS = 2.0
_LEFT_SECONDS = 300.0
"""Credentials that end sooner are replaced."""
_LARGEST_ANSWER_BYTES = 64 * 1024


def find_source(environ: Mapping[str, str]) -> CredentialSource:
    """The source of an environment's credentials. Nothing is asked before it is called.

    Args:
        environ: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; or
            AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN.
    """
    if "AWS_ACCESS_KEY_ID" not in environ and (environ.get(FULL_URI) or environ.get(RELATIVE_URI)):
        return _Container(environ)
    return lambda: Credentials.of(environ)


class _Container:
    """Credentials of a container's role, kept until shortly before their end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._url = environ.get(FULL_URI) or _ECS + environ[RELATIVE_URI]
        self._token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        self._file = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
        self._known: Credentials | None = None
        self._end = 0.0
        """Of `_known`, in Unix seconds."""

    def __call__(self) -> Credentials:
        if self._known is None or time.time() > self._end - _LEFT_SECONDS:
            try:
                self._known, self._end = self._ask()
            except NoCredentials:
                if self._known is None or time.time() > self._end:
                    raise
        return self._known

    def _ask(self) -> tuple[Credentials, float]:
        parts = urlsplit(self._url)
        if parts.scheme != "https" and parts.hostname not in _TRUSTED:
            raise NoCredentials(f"{FULL_URI} must be https, or an address of this machine's")
        until = time.monotonic() + _ASK_SECONDS

        def check() -> None:
            if time.monotonic() > until:
                raise TimeoutError("no answer in time")

        try:
            token = Path(self._file).read_text().strip() if self._file else self._token
            exchange = client.get(self._url, {"Authorization": token} if token else {}, check)
            try:
                content = exchange.read(_LARGEST_ANSWER_BYTES)
            finally:
                exchange.close()
            if exchange.status != 200:
                raise NoCredentials(f"the container's credentials: status {exchange.status}")
            document = json.loads(content)
            credentials = Credentials(
                str(document["AccessKeyId"]), str(document["SecretAccessKey"]), str(document["Token"])
            )
            return credentials, _seconds(str(document["Expiration"]))
        except (HttpError, OSError) as error:
            raise NoCredentials(f"the container's credentials: {error}") from error
        except (ValueError, KeyError, TypeError):  # without the answer's words: it holds secrets
            raise NoCredentials("the container's credentials: the answer is not understood") from None


def _seconds(moment: str) -> float:
    """Unix seconds of a moment such as 2026-11-28T12:00:00Z."""
    from datetime import datetime  # only here, as it costs start-up time

    return datetime.fromisoformat(moment).timestamp()
