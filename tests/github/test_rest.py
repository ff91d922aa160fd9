"""The client of GitHub's API against a server that answers as told: what is asked again, and what is said of it."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.errors import OperationFailed

TOKEN = "ghs_secret"
Answer = tuple[int, Any, dict[str, str]]


class Page:
    """A body that is no JSON."""


class Scripted:
    """Answers one request after another, the last for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.received.append((self.command, self.path, dict(self.headers), raw))
                status, body, headers = (
                    script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                )
                encoded = (
                    b""
                    if body is None
                    else b"<html>"
                    if isinstance(body, Page)
                    else json.dumps(body).encode()
                )
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(encoded))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def api() -> Iterator[Scripted]:
    api = Scripted()
    threading.Thread(target=api.server.serve_forever, args=(0.05,), daemon=True).start()
    yield api
    api.server.shutdown()
    api.server.server_close()


@pytest.fixture
def github(api: Scripted) -> GitHub:
    return GitHub("example/pennyworth", TOKEN, api.url)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which are not waited for."""
    slept: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)
    return slept


def test_a_call_says_who_asks_for_what(
    api: Scripted, github: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.answers = [(200, {"number": 1}, {})]
    assert github.call("POST", "/issues", {"title": "é"}, per_page=5) == {"number": 1}
    ((method, path, headers, raw),) = api.received
    assert (method, path) == ("POST", "/repos/example/pennyworth/issues?per_page=5")
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["Accept"] == "application/vnd.github+json"
    assert json.loads(raw) == {"title": "é"}


def test_no_content_is_none(api: Scripted, github: GitHub) -> None:
    api.answers = [(204, None, {})]
    assert github.call("DELETE", "/issues/comments/1") is None


def test_pages_are_followed_by_their_links(api: Scripted, github: GitHub) -> None:
    link = {"Link": f'<{api.url}/repos/example/pennyworth/runs?page=2>; rel="next"'}
    api.answers = [
        (200, {"total_count": 3, "workflow_runs": [{"id": 1}, {"id": 2}]}, link),
        (200, {"total_count": 3, "workflow_runs": [{"id": 3}]}, {}),
    ]
    assert [run["id"] for run in github.pages("/runs", status="success")] == [1, 2, 3]
    assert [path.partition("/pennyworth")[2] for _, path, _, _ in api.received] == [
        "/runs?per_page=100&status=success",
        "/runs?page=2",
    ]


def test_a_list_without_end_is_left(api: Scripted, github: GitHub) -> None:
    api.answers = [(200, [{"id": 1}], {"Link": f'<{api.url}/repos/example/pennyworth/runs>; rel="next"'})]
    assert len(list(github.pages("/runs"))) == len(api.received) == 100


@pytest.mark.parametrize("status", [403, 429])
def test_a_request_too_many_is_made_again_when_github_says(
    api: Scripted, github: GitHub, slept: list[float], status: int
) -> None:
    limited = (status, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "7"})
    api.answers = [limited, (201, {"number": 1}, {})]
    assert github.call("POST", "/issues", {"title": "x"}) == {"number": 1}
    assert slept == [7.0]


def test_nobody_waits_for_hours(api: Scripted, github: GitHub, slept: list[float]) -> None:
    api.answers = [(429, {"message": "later"}, {"Retry-After": "86400"})]
    with pytest.raises(GitHubFailed, match="429 later"):
        github.call("GET", "/issues")
    assert slept == [60.0, 60.0, 60.0]


@pytest.mark.parametrize(("method", "times"), [("GET", 4), ("PATCH", 4), ("DELETE", 4), ("POST", 1)])
def test_a_broken_gateway_is_asked_again_unless_something_is_made(
    api: Scripted, github: GitHub, method: str, times: int
) -> None:
    api.answers = [(502, None, {})]
    with pytest.raises(GitHubFailed) as caught:
        github.call(method, "/issues")
    assert caught.value.status == 502
    assert len(api.received) == times


@pytest.mark.parametrize(
    ("status", "body", "headers", "message"),
    [
        (
            403,
            {"message": "Resource not accessible by integration"},
            {"X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write"},
            "GitHub refused POST /issues: 403 Resource not accessible by integration"
            " - add issues: write or pull-requests: write to the job's `permissions:`",
        ),
        (
            422,
            {
                "message": "Validation Failed",
                "errors": [{"field": "tag_name", "code": "already_exists"}, "odd"],
            },
            {},
            "GitHub refused POST /issues: 422 Validation Failed (tag_name already_exists; odd)",
        ),
        (
            403,
            {"message": "API rate limit exceeded"},
            {"X-RateLimit-Remaining": "0"},
            "GitHub refused POST /issues: 403 API rate limit exceeded"
            " - the token's hourly rate limit is used up; run this again later",
        ),
        (500, ["odd"], {}, "GitHub refused POST /issues: 500 Internal Server Error"),
    ],
)
def test_a_refusal_says_what_would_help(
    api: Scripted, github: GitHub, status: int, body: Any, headers: dict[str, str], message: str
) -> None:
    api.answers = [(status, body, headers)]
    with pytest.raises(GitHubFailed) as caught:
        github.call("POST", "/issues", {})
    assert str(caught.value) == message
    assert caught.value.status == status


def test_a_page_that_is_none_of_githubs_is_reported(api: Scripted, github: GitHub) -> None:
    api.answers = [(200, Page(), {})]
    for ask in (lambda: github.call("GET", "/issues"), lambda: list(github.pages("/issues"))):
        with pytest.raises(GitHubFailed, match=r"GET http://127.0.0.1:\d+/\S+/issues is not JSON"):
            ask()


def test_silence_is_reported_without_the_token() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(
        GitHubFailed, match="GitHub did not respond to GET /issues: ConnectionError"
    ) as caught:
        GitHub("example/pennyworth", TOKEN, url).call("GET", "/issues")
    assert caught.value.status == 0 and TOKEN not in str(caught.value)


def test_a_missing_variable_is_named() -> None:
    environ = {"GITHUB_REPOSITORY": "a/b", "GITHUB_API_URL": "http://127.0.0.1"}
    with pytest.raises(OperationFailed) as caught:
        GitHub.from_environ(environ)
    assert caught.value.title == "GITHUB_TOKEN is not set"
