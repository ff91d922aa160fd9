"""A few signed JSON calls, over the connections that the upstreams' calls share.

The protocol: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from pennyworth import __version__
from pennyworth.gateway.aws.credentials import find_source
from pennyworth.gateway.aws.signing import NoCredentials, Signer
from pennyworth.gateway.http import client
from pennyworth.gateway.http.errors import HttpError

# What stands before an operation's name in X-Amz-Target, and the protocol's version.
_SERVICES = {
    "ssm": ("AmazonSSM", "1.1"),
    "dynamodb": ("DynamoDB_20120810", "1.0"),
}

_ATTEMPT_SECONDS = 2.0
_LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
"""A page of DynamoDB's has at most one of these mebibytes."""
_PAUSES_SECONDS = (0.1, 0.4)
"""At most so long before the second attempt, and before the third and last."""

# Worth another attempt beside every status from 500 on, as AWS's own SDKs have it:
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_PASSING = frozenset(
    [
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ]
)

# What is said of a request whose time of signing is not the service's own, give or take five minutes.
_UNTIMELY = frozenset(
    [
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    ]
)
_UNREACHABLE = "Unreachable"


class AwsError(Exception):
    """A call that failed."""

    def __init__(self, code: str, message: str) -> None:
        """
        Args:
            code: AWS's own, such as AccessDeniedException; Unreachable where none came.
            message: AWS's own words. They may name resources and principals, never a value.
        """
        super().__init__(f"{code}: {message}")
        self.code = code


class _Late(Exception):
    """An attempt took too long."""


class Client:
    """Calls in the name of the environment's credentials."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """
        Args:
            environ: AWS_REGION, and credentials or where they are handed out, as Lambda gives them.
                AWS_ENDPOINT_URL, or AWS_ENDPOINT_URL_SSM for that service alone, leads elsewhere.
        """
        self._environ = dict(environ)
        self._credentials = find_source(self._environ)
        self._skew = 0.0
        """How far the service's clock is ahead of this machine's, in seconds."""

    def call(
        self, service: str, operation: str, payload: Mapping[str, Any], *, seconds: float = 5.0
    ) -> dict[str, Any]:
        """Call an operation, again where that may help.

        Args:
            service: such as `ssm`.
            operation: such as `GetParametersByPath`.
            payload: its request, as the API reference has it.
            seconds: how long all attempts may take together.
        Returns:
            its response.
        Raises:
            AwsError: it failed.
        """
        prefix, version = _SERVICES[service]
        region = self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise AwsError("NoRegion", "AWS_REGION is not set")
        try:
            signer = Signer(self._credentials(), region, service)
        except NoCredentials as error:
            raise AwsError("NoCredentials", str(error)) from None
        url = self._endpoint(service, region)
        headers = {
            "Content-Type": f"application/x-amz-json-{version}",
            "X-Amz-Target": f"{prefix}.{operation}",
            "User-Agent": f"pennyworth/{__version__}",
        }
        body = json.dumps(payload).encode()
        give_up = time.monotonic() + seconds
        pauses = iter(_PAUSES_SECONDS)
        while True:
            try:
                return self._attempt(signer, url, headers, body, give_up)
            except _Again as again:
                longest = next(pauses, None)
                if longest is None:
                    raise again.error from again
                pause = _jittered(longest) if again.pause else 0.0
                if time.monotonic() + pause > give_up:
                    raise again.error from again
            time.sleep(pause)

    def _attempt(
        self, signer: Signer, url: str, headers: Mapping[str, str], body: bytes, give_up: float
    ) -> dict[str, Any]:
        until = min(time.monotonic() + _ATTEMPT_SECONDS, give_up)

        def check() -> None:
            if time.monotonic() > until:
                raise _Late

        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + self._skew))
        try:
            exchange = client.post(
                url, body, signer.signed("POST", url, headers, body, at), check, connect=_ATTEMPT_SECONDS
            )
            try:
                status, content = exchange.status, exchange.read(_LARGEST_ANSWER_BYTES)
            finally:
                exchange.close()
        except (_Late, HttpError, OSError) as error:
            reason = "it does not answer in time" if isinstance(error, _Late) else str(error)
            raise _Again(AwsError(_UNREACHABLE, f"{url}: {reason}")) from error
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            if status < 300:  # else an empty answer would be taken for "there is nothing"
                raise _Again(AwsError(_UNREACHABLE, f"{url}: its answer is no JSON object"))
            document = {}
        if status < 300:
            return document
        refused = _error(status, exchange.header("x-amzn-errortype"), document)
        if refused.code in _UNTIMELY:
            # also where the clocks agree: a function may have been frozen after it had signed
            self._skew = _ahead(exchange.header("date"), self._skew)
            raise _Again(refused, pause=False)
        if status >= 500 or status == 429 or refused.code in _PASSING:
            raise _Again(refused)
        raise refused

    def _endpoint(self, service: str, region: str) -> str:
        for variable in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
            if named := self._environ.get(variable):
                return f"{named.rstrip('/')}/"
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return f"https://{service}.{region}.{suffix}/"


class _Again(Exception):
    """An attempt failed in a way that another may not."""

    def __init__(self, error: AwsError, *, pause: bool = True) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause
        """Whether the service wants a rest before."""


def _error(status: int, type_: str | None, document: Mapping[str, Any]) -> AwsError:
    named = str(document.get("__type") or type_ or f"HTTP {status}")
    message = document.get("message") or document.get("Message") or "no reason was given"
    return AwsError(named.rpartition("#")[2].partition(":")[0], str(message))


def _ahead(date: str | None, known: float) -> float:
    """How far the service's clock is ahead, by its Date header; what was known where that says nothing."""
    from email.utils import mktime_tz, parsedate_tz

    parsed = parsedate_tz(date) if date else None
    return mktime_tz(parsed) - time.time() if parsed else known


def _jittered(seconds: float) -> float:
    """Anything up to that, so that those who failed together do not come again together."""
    import random  # only where something failed: it costs start-up time

    return random.uniform(0, seconds)  # noqa: S311  # spreads load, guards nothing
