"""GitHub's OIDC issuer, as a job sees it: a URL that hands out a token with the claims of this run.

https://docs.github.com/actions/reference/security/oidc says which claims there are.

The tokens name GitHub as their issuer but are signed with a key of our own (HS256, not GitHub's RS256): the local AWS
judges the claims and no signature, and AWS itself would turn such a token down.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

ISSUER = "https://token.actions.githubusercontent.com"

_LIFETIME_SECONDS = 300
_IDS = {"repository_id": "100200300", "repository_owner_id": "400500600", "actor_id": "400500600"}


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request to the repository's main branch."""

    number: int = 7
    branch: str = "feature"
    """The branch that is to be merged."""
    fork: str = ""
    """OWNER/NAME of the repository that holds that branch, where it is another. GitHub gives the runs of such a pull
    request neither secrets nor variables, no OIDC token, and a GITHUB_TOKEN that may only read."""


@dataclass(frozen=True, slots=True)
class Run:
    """The workflow run that a token vouches for."""

    repository: str
    """OWNER/NAME."""
    branch: str
    """Of a pull request, the one that it is to be merged into."""
    event: str
    """push, workflow_dispatch, schedule or pull_request."""
    workflow: str
    """The workflow file's path."""
    sha: str
    """The commit."""
    environment: str = ""
    """The GitHub environment that the job names."""
    pull_request: PullRequest | None = None
    called: str = ""
    """OWNER/NAME/PATH@REF of the workflow file that this one calls, where its job is there."""

    @property
    def ref(self) -> str:
        """The branch, or the pull request's merge, as git names it in full."""
        return (
            f"refs/pull/{self.pull_request.number}/merge"
            if self.pull_request
            else f"refs/heads/{self.branch}"
        )

    @property
    def numbers(self) -> tuple[str, str]:
        """GitHub's numbers of the repository's owner and of the repository."""
        return _IDS["repository_owner_id"], _IDS["repository_id"]

    def subject(self, *, immutable: bool = False) -> str:
        """The token's `sub`, on which the role's trust rests.

        Args:
            immutable: with the owner's and the repository's ids, as GitHub gives it to repositories that were made,
                renamed or handed over since 15 July 2026.
        """
        owner, name = self.repository.split("/")
        if immutable:
            owner, name = (
                f"{part}@{number}" for part, number in zip((owner, name), self.numbers, strict=True)
            )
        if self.environment:
            context = f"environment:{self.environment}"
        elif self.pull_request:
            context = "pull_request"
        else:
            context = f"ref:{self.ref}"
        return f"repo:{owner}/{name}:{context}"

    def claims(self, audience: str | None, *, immutable: bool = False) -> dict[str, str | int]:
        """Everything that GitHub says of a run."""
        owner = self.repository.split("/")[0]
        now = int(time.time())
        workflow_ref = f"{self.repository}/{self.workflow}@{self.ref}"
        return {
            "jti": str(uuid.uuid4()),
            "iss": ISSUER,
            "aud": audience or f"https://github.com/{owner}",
            "sub": self.subject(immutable=immutable),
            "iat": now,
            "nbf": now,
            "exp": now + _LIFETIME_SECONDS,
            "ref": self.ref,
            "ref_type": "branch",
            "ref_protected": "false",
            "sha": self.sha,
            "repository": self.repository,
            "repository_owner": owner,
            "repository_visibility": "public",
            "event_name": self.event,
            "head_ref": self.pull_request.branch if self.pull_request else "",
            "base_ref": self.branch if self.pull_request else "",
            "actor": owner,
            "workflow": PurePosixPath(self.workflow).stem,
            "workflow_ref": workflow_ref,
            "workflow_sha": self.sha,
            "job_workflow_ref": self.called or workflow_ref,
            "job_workflow_sha": self.sha,
            "run_id": "1",
            "run_number": "1",
            "run_attempt": "1",
            "runner_environment": "self-hosted",
            **({"environment": self.environment} if self.environment else {}),
            **_IDS,
        }


class TokenIssuer:
    """Hands out tokens on loopback, from `with` to the end of it."""

    def __init__(self, run: Run, *, immutable: bool = False) -> None:
        """
        Args:
            run: what its tokens vouch for.
            immutable: whether `sub` names ids beside the names.
        """
        self._secret = secrets.token_bytes(32)
        request_token = secrets.token_urlsafe(32)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not hmac.compare_digest(self.headers.get("Authorization", ""), f"bearer {request_token}"):
                    self.send_error(401)
                    return
                audience = parse_qs(urlsplit(self.path).query).get("audience", [None])[0]
                token = issuer.signed(run.claims(audience, immutable=immutable))
                body = json.dumps({"count": len(token), "value": token}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{self._server.server_port}/?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request_token,
        }
        """What a job with `id-token: write` has in its environment."""

    def signed(self, claims: dict[str, Any]) -> str:
        """A JSON Web Token (RFC 7519)."""
        header = {"typ": "JWT", "alg": "HS256", "kid": "rehearsal"}
        content = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{content}.{_encoded(hmac.digest(self._secret, content.encode(), hashlib.sha256))}"

    def __enter__(self) -> "TokenIssuer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
