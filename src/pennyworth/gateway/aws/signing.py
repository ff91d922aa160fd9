"""Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


class NoCredentials(Exception):
    """The environment holds none."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose name a request goes out in."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Of temporary credentials, as a role has them."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Credentials":
        """Those that Lambda puts into a function's environment: its role's.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime

        Raises:
            NoCredentials: there are none.
        """
        try:
            key_id, secret = environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
        except KeyError as missing:
            raise NoCredentials(f"{missing.args[0]} is not set") from None
        return cls(key_id, secret, environ.get("AWS_SESSION_TOKEN", ""))


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests for one service in one region."""

    credentials: Credentials
    region: str
    service: str
    """Its signing name, such as `ssm`."""

    def signed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, at: str
    ) -> dict[str, str]:
        """A request's headers with its signature.

        Args:
            method: GET, POST ...
            url: the address, percent-encoded as it will be sent, without `.`, `..` or empty segments in its path.
            headers: what else is sent; all but User-Agent is signed. Host is added by whoever sends the request.
            body: the body; empty for none.
            at: the time of signing in UTC, such as 20261123T183000Z.
        Returns:
            the headers to send.
        """
        parts = urlsplit(url)
        sent = {**headers, "X-Amz-Date": at}
        if self.credentials.token:
            sent["X-Amz-Security-Token"] = self.credentials.token
        lowered = {name.lower(): " ".join(value.split()) for name, value in sent.items()}
        lowered.pop("user-agent", None)  # proxies may change it, so AWS's own SDKs do not sign it either
        lowered["host"] = _host(url)
        names = ";".join(sorted(lowered))
        canonical = "\n".join(
            [
                method,
                quote(parts.path or "/", safe="/~"),  # encoded once more, as all services but S3 want it
                _query(parts.query),
                *(f"{name}:{lowered[name]}" for name in sorted(lowered)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            ]
        )
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join([_ALGORITHM, at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(self._key(at[:8]), text.encode(), hashlib.sha256).hexdigest()
        credential = f"{self.credentials.key_id}/{scope}"
        sent["Authorization"] = (
            f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return sent

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.credentials.secret}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _host(url: str) -> str:
    """The Host header as http.client sends it: without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return host.removesuffix(default)


def _query(query: str) -> str:
    """Sorted by name, then value; a name without a value gets an empty one."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs))
