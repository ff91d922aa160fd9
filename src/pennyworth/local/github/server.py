"""The server: checks the token and its permissions, and calls the function that answers."""

import hmac
import json
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pennyworth.local.github import git, issues, releases
from pennyworth.local.github.answers import Access, Exchange, Redirect, Refused, Request, not_found

_PAGE, _LARGEST_PAGE = 30, 100
_STORAGE = "/storage"
_METADATA = {"metadata": "read"}  # a permission that every token has
_DOCUMENTATION = "https://docs.github.com/rest"


class FakeGitHub:
    """A fake GitHub with one repository, for the duration of a `with` block."""

    observers: ClassVar[list[Callable[[Exchange], None]]] = []
    """Called with every exchange, so that the tests can check them."""

    def __init__(self, repository: str, folder: Path) -> None:
        """
        Args:
            repository: OWNER/NAME.
            folder: a new folder for the repository's commits.
        """
        self.repository = repository
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.github = self
        self.api_url = f"http://127.0.0.1:{self._server.server_port}"
        """The value of GITHUB_API_URL in a job."""
        url, page = f"{self.api_url}/repos/{repository}", f"https://github.com/{repository}"
        self._issues = issues.Issues(url, page)
        self.commits = git.Commits(folder, url, page)
        """The repository's commits, branches and tags."""
        storage = f"http://localhost:{self._server.server_port}{_STORAGE}"
        self.releases = releases.Releases(self.commits, url, page, storage)
        """The repository's releases."""
        self.exchanges: list[Exchange] = []
        """All requests and responses, oldest first."""
        self._tokens: dict[str, Access] = {}
        self._tables = (
            (issues.routes, self._issues),
            (git.routes, self.commits),
            (releases.routes, self.releases),
        )
        self._one_at_a_time = threading.Lock()

    @property
    def issues(self) -> dict[int, dict[str, Any]]:
        """Issues and pull requests by number, in GitHub's format."""
        return self._issues.issues

    def comments(self, number: int) -> list[dict[str, Any]]:
        """Return the comments on an issue or a pull request in GitHub's format, oldest first."""
        return self._issues.comments_on(number)

    def bodies(self, number: int) -> list[str]:
        """Return the texts of the comments on an issue or a pull request, oldest first."""
        return self._issues.bodies(number)

    def comment(self, number: int, body: str, author: str = "somebody") -> dict[str, Any]:
        """Comment on an issue or a pull request as a person."""
        return self._issues.comment(number, body, author)

    def open_issue(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> dict[str, Any]:
        """Open an issue as a person."""
        return self._issues.open(title, body, labels, "somebody")

    def open_pull_request(self, number: int, author: str = "somebody") -> dict[str, Any]:
        """Open a pull request with this number as a person, unless it exists."""
        return self._issues.open_pull_request(number, author)

    def grant(self, permissions: Access) -> str:
        """Create a job's GITHUB_TOKEN.

        Args:
            permissions: the job's `permissions:`.
        """
        token = f"ghs_{secrets.token_hex(18)}"
        self._tokens[token] = {**permissions, **_METADATA}
        return token

    def revoke(self, token: str) -> None:
        """Invalidate a token, as GitHub does at the end of the job."""
        self._tokens.pop(token, None)

    def __enter__(self) -> "FakeGitHub":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request, authorization: str) -> tuple[int, Any, dict[str, str]]:
        """Answer a request.

        Args:
            request: the request, with the full path.
            authorization: the Authorization header.
        Returns:
            the status, the response's JSON, and headers.
        """
        with self._one_at_a_time:
            status, answer, headers = self._answered(request, authorization)
            exchange = Exchange(request, status, json.loads(json.dumps(answer)))
            self.exchanges.append(exchange)
            for observe in self.observers:
                observe(exchange)
            return status, answer, headers

    def _answered(self, request: Request, authorization: str) -> tuple[int, Any, dict[str, str]]:
        headers: dict[str, str] = {}
        try:
            granted = self._granted(authorization)
            prefix = f"/repos/{self.repository}"
            if not request.path.startswith(prefix):
                raise not_found()
            path = request.path.removeprefix(prefix)
            for routes, holder in self._tables:
                for route in routes.table:
                    found = route.pattern.fullmatch(path)
                    if not found or route.method != request.method:
                        continue
                    headers["X-Accepted-GitHub-Permissions"] = "; ".join(
                        ",".join(f"{name.replace('-', '_')}={level}" for name, level in need.items())
                        for need in route.needs
                    )
                    if not route.allows(granted):
                        raise Refused(403, "Resource not accessible by integration")
                    parts = {name: unquote(part) for name, part in found.groupdict().items()}
                    answer = route.answer(holder, request, **parts)
                    if isinstance(answer, Redirect):
                        headers["Location"], answer = answer.url, None
                    elif isinstance(answer, list):
                        answer = self._page(request, answer, headers)
                    return route.status, answer, headers
            raise not_found()
        except Refused as refused:
            told: dict[str, Any] = {"message": refused.message, "documentation_url": _DOCUMENTATION}
            if refused.errors:
                told["errors"] = list(refused.errors)
            return refused.status, {**told, "status": str(refused.status)}, headers

    def _granted(self, authorization: str) -> Access:
        kind, _, given = authorization.partition(" ")
        if kind.lower() in ("bearer", "token"):
            for token, granted in self._tokens.items():
                if hmac.compare_digest(token, given):
                    return granted
        raise Refused(401, "Bad credentials" if authorization else "Requires authentication")

    def _page(self, request: Request, found: list[Any], headers: dict[str, str]) -> list[Any]:
        """Return one page of a list: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api."""
        size = min(int(request.query.get("per_page", _PAGE)), _LARGEST_PAGE)
        page = int(request.query.get("page", 1))
        if page * size < len(found):
            query = urlencode({**request.query, "page": str(page + 1)})
            headers["Link"] = f'<{self.api_url}{request.path}?{query}>; rel="next"'
        return found[(page - 1) * size : page * size]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    github: FakeGitHub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        media_type = self.headers.get("Content-Type", "")
        body: Any = raw or None
        if raw and media_type.startswith("application/json"):
            with suppress(ValueError):
                body = json.loads(raw)
        url = urlsplit(self.path)
        if url.path.startswith(f"{_STORAGE}/"):
            self._give_file(int(url.path.rpartition("/")[2]))
            return
        request = Request(
            self.command, url.path, dict(parse_qsl(url.query, keep_blank_values=True)), body, media_type
        )
        authorization = self.headers.get("Authorization", "")
        status, answer, headers = self.server.github.answer(request, authorization)
        encoded = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if encoded:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _give_file(self, number: int) -> None:
        """Answer as the storage that GitHub redirects to, which refuses GitHub's tokens."""
        content = self.server.github.releases.files[number]
        refused = "Authorization" in self.headers
        self.send_response(400 if refused else 200)
        self.send_header("Content-Length", "0" if refused else str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if refused else content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer
