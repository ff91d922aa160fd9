"""The token by which GitHub tells AWS which run asks: https://docs.github.com/actions/reference/security/oidc."""

import base64
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from pennyworth.host.errors import OperationFailed

_AUDIENCE = "sts.amazonaws.com"
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where a job asks for its token."""

    url: str
    token: str = field(repr=False)
    """By which it asks."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As GitHub sets them in a job that may ask: ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN.

        Raises:
            OperationFailed: the job may not.
        """
        url = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
        token = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        if not url or not token:
            raise OperationFailed(
                "The job may not ask GitHub for a token",
                "Give the job `permissions: {contents: read, id-token: write}`, and in a caller's workflow the job that"
                " calls. Pull requests from forks never may.",
            )
        return cls(url, token)


def fetch_subject(inputs: Inputs) -> str:
    """The `sub` of the token: whom AWS knows this run as.

    Raises:
        OperationFailed: GitHub gives no token.
    """
    request = urllib.request.Request(  # noqa: S310 - GitHub's own address
        f"{inputs.url}&audience={_AUDIENCE}", headers={"Authorization": f"bearer {inputs.token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            payload = json.load(answer)["value"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (OSError, ValueError, LookupError, AttributeError) as failure:
        raise OperationFailed(
            "GitHub gives this run no token", "Run it again; see https://www.githubstatus.com.", str(failure)
        ) from failure
