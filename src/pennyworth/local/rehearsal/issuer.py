"""A fake of GitHub's OIDC issuer: a URL that issues tokens with the claims of a run.

For the claims, see https://docs.github.com/actions/reference/security/oidc.

The tokens name GitHub as their issuer, but are signed with our own key (HS256, not GitHub's RS256). The local
AWS checks the claims but not the signature. The real AWS would refuse such a token.
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

from pennyworth.github.deploying_workflows import expand_ref

ISSUER = "https://token.actions.githubusercontent.com"

_LIFETIME_SECONDS = 300
_IDS = {"repository_id": "22", "repository_owner_id": "11", "actor_id": "11"}
"""The repository's numbers, which the roles trust. A stand-in for `gh` looks up the same."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request to the repository's main branch."""

    number: int = 7
    branch: str = "feature"
    """The branch to merge."""
    fork: str = ""
    """OWNER/NAME of the branch's repository, if it is a fork.

    A fork's pull request gets no secrets, no variables, no OIDC token, and a read-only GITHUB_TOKEN.
    """


@dataclass(frozen=True, slots=True)
class Run:
    """The workflow run that a token is for."""

    repository: str
    """OWNER/NAME."""
    branch: str
    """For a pull request, the target branch."""
    event: str
    """push, workflow_dispatch, schedule or pull_request."""
    workflow: str
    """The workflow file's path."""
    sha: str
    """The commit."""
    environment: str = ""
    """The job's GitHub environment."""
    pull_request: PullRequest | None = None
    called: str = ""
    """OWNER/NAME/PATH@REF of the called workflow, if the job is in one."""

    @property
    def ref(self) -> str:
        """The full git ref of the branch, or of the pull request's merge."""
        return (
            f"refs/pull/{self.pull_request.number}/merge"
            if self.pull_request
            else f"refs/heads/{self.branch}"
        )

    @property
    def numbers(self) -> tuple[str, str]:
        """The numeric GitHub IDs of the owner and of the repository."""
        return _IDS["repository_owner_id"], _IDS["repository_id"]

    def subject(self, *, immutable: bool = False) -> str:
        """Return the token's `sub`, which the role's trust policy checks.

        Args:
            immutable: whether it contains the numeric IDs, as for repositories that were created, renamed or
                transferred since 15 July 2026.
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
        """Return all claims of the run."""
        owner = self.repository.split("/")[0]
        now = int(time.time())
        workflow_ref = f"{self.repository}/{self.workflow}@{self.ref}"
        called, _, pinned = self.called.partition("@")
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
            "job_workflow_ref": f"{called}@{expand_ref(pinned)}" if called else workflow_ref,
            "job_workflow_sha": self.sha,
            "run_id": "1",
            "run_number": "1",
            "run_attempt": "1",
            "runner_environment": "self-hosted",
            **({"environment": self.environment} if self.environment else {}),
            **_IDS,
        }


class TokenIssuer:
    """Issues tokens on loopback, for the duration of a `with` block."""

    def __init__(self, run: Run, *, immutable: bool = False) -> None:
        """
        Args:
            run: the run that its tokens are for.
            immutable: whether `sub` contains numeric IDs.
        """
        self._secret = secrets.token_bytes(32)
        request_token = secrets.token_urlsafe(32)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                scheme, _, given = self.headers.get("Authorization", "").partition(" ")
                if scheme.lower() != "bearer" or not hmac.compare_digest(given, request_token):
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
        """Return the environment variables of a job with `id-token: write`."""

    def signed(self, claims: dict[str, Any]) -> str:
        """Return a JSON Web Token (RFC 7519)."""
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
