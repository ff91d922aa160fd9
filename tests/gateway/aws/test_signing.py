"""Our signatures beside botocore's own, on generated requests."""

import datetime
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials

from pennyworth.gateway.aws.signing import Credentials, NoCredentials, Signer

SEED = 20261123
REQUESTS = 400

METHODS = ("GET", "POST", "PUT", "DELETE")
TEXT = string.ascii_letters + string.digits + " !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~\t" + "äß€🙂"
VISIBLE = string.ascii_letters + string.digits + "-_.:;,=/+ ~\"'()"


@dataclass(frozen=True)
class Request:
    """What is signed."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    credentials: Credentials
    region: str
    service: str
    at: datetime.datetime


def requests() -> Iterator[Request]:
    chance = random.Random(SEED)

    def text(alphabet: str, shortest: int, longest: int) -> str:
        return "".join(chance.choices(alphabet, k=chance.randint(shortest, longest)))

    for _ in range(REQUESTS):
        segments = [quote(text(TEXT, 1, 12), safe="") for _ in range(chance.randint(0, 3))]
        path = "/" + "/".join(segment for segment in segments if segment not in {".", ".."})
        names = [quote(text(TEXT, 1, 6), safe="") for _ in range(chance.randint(0, 4))]
        query = "&".join(f"{name}={quote(text(TEXT, 0, 8), safe='')}" for name in names)
        host = chance.choice(["ssm.us-west-2.amazonaws.com", "127.0.0.1:4566", "h:80", "h:443", "h:8443"])
        headers = {
            f"X-{text(string.ascii_letters, 1, 8).title()}": text(VISIBLE, 0, 30)
            for _ in range(chance.randint(0, 4))
        }
        headers["Content-Type"] = "application/x-amz-json-1.1"
        yield Request(
            chance.choice(METHODS),
            f"{chance.choice(['http', 'https'])}://{host}{path}{'?' if query else ''}{query}",
            headers,
            text(TEXT, 0, 200).encode(),
            Credentials(
                text(string.ascii_uppercase, 16, 20),
                text(string.ascii_letters + "/+", 40, 40),
                text(string.ascii_letters + "/+=", 0, 1) * chance.randint(0, 400),
            ),
            chance.choice(["us-west-2", "eu-central-1", "cn-north-1"]),
            chance.choice(["ssm", "dynamodb", "bedrock"]),
            datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
            + datetime.timedelta(seconds=chance.randint(0, 300_000_000)),
        )


def theirs(request: Request, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: request.at)
    credentials = TheirCredentials(
        request.credentials.key_id, request.credentials.secret, request.credentials.token or None
    )
    signed = AWSRequest(request.method, request.url, headers=dict(request.headers), data=request.body)
    SigV4Auth(credentials, request.service, request.region).add_auth(signed)
    return dict(signed.headers.items())


def test_hundreds_of_requests_are_signed_as_botocore_signs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for request in requests():
        signer = Signer(request.credentials, request.region, request.service)
        at = f"{request.at:%Y%m%dT%H%M%SZ}"
        ours = signer.signed(request.method, request.url, request.headers, request.body, at)
        assert ours == theirs(request, monkeypatch), request
        seen.add(ours["Authorization"])
    assert len(seen) == REQUESTS


def test_the_environments_credentials() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    credentials = Credentials.of(environ)
    assert credentials == Credentials("ASIA", "secret", "token")
    assert "secret" not in repr(credentials) and "token=" not in repr(credentials)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with pytest.raises(NoCredentials, match=name):
            Credentials.of({key: value for key, value in environ.items() if key != name})
