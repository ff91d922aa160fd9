"""A client of GitHub's REST API for workflow steps: https://docs.github.com/rest.

github = GitHub.from_environ(os.environ)
github.call("POST", "/issues", {"title": "It is down"})
for comment in github.pages("/issues/7/comments"):
    ...
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from pennyworth.github.actions import required
from pennyworth.host.errors import OperationFailed

API_VERSION = "2022-11-28"

_SECONDS = (10.0, 60.0)  # to connect, and to read each response
_PAGE = 100  # GitHub's maximum page size
_PAGES = 100  # the maximum number of pages to read
_ATTEMPTS = 4
_WAIT_SECONDS = 60  # the maximum between two attempts


class GitHubFailed(OperationFailed):
    """A request to GitHub failed. The message says why, and contains no token."""

    def __init__(self, message: str, status: int = 0) -> None:
        """
        Args:
            message: what went wrong and, if known, what to do.
            status: the HTTP status; 0 if there was no response.
        """
        super().__init__(message)
        self.status = status


class _Again(Retry):  # type: ignore[misc]  # typed only where it is installed
    """Decides which requests to retry.

    Retries rate-limited requests of any method, because GitHub did not process them. Also retries gateway
    errors, except for POST, because GitHub may have processed the request.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether to retry after a response with this status."""
        # https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
        if has_retry_after and status_code in (403, 429):
            return True
        return status_code in (502, 503, 504) and method != "POST"


class GitHub:
    """A repository on GitHub."""

    def __init__(self, repository: str, token: str, api_url: str = "https://api.github.com") -> None:
        """
        Args:
            repository: OWNER/NAME.
            token: the job's GITHUB_TOKEN, or another token with the permissions.
            api_url: the base URL of the API.
        """
        self.repository = repository
        self._base = f"{api_url.rstrip('/')}/repos/{quote(repository)}"
        self._session = requests.Session()
        self._session.auth = _bearer(token)  # a plain header would be overridden by a .netrc file
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
                "User-Agent": "pennyworth",
            }
        )
        again = _Again(
            total=_ATTEMPTS - 1,
            read=0,  # GitHub may have processed a request whose response broke off
            backoff_factor=1,
            retry_after_max=_WAIT_SECONDS,
            allowed_methods=None,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "GitHub":
        """Connect to the workflow's repository: GITHUB_REPOSITORY, GITHUB_API_URL and GITHUB_TOKEN.

        Raises:
            OperationFailed: one of them is missing.
        """
        if not environ.get("GITHUB_TOKEN"):
            raise OperationFailed(
                "GITHUB_TOKEN is not set", "Set it in the step's `env:`: GITHUB_TOKEN: ${{ github.token }}."
            )
        names = ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_API_URL")
        return cls(*(required(environ, name) for name in names))

    def call(self, method: str, path: str, body: Any = None, **query: str | int) -> Any:
        """Send a request.

        Args:
            method: the HTTP method.
            path: the path after /repos/OWNER/NAME, such as /issues. Empty: the repository itself.
            body: the body, sent as JSON.
            query: the query parameters.
        Returns:
            the response's JSON; None if it has no body.
        Raises:
            GitHubFailed: GitHub refused the request or did not respond.
        """
        response = self._send(method, self._base + path, json=body, params=query)
        return _decoded(response) if response.content else None

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield every entry of a list, from all of its pages.

        Args:
            path: the path after /repos/OWNER/NAME, such as /issues.
            query: the query parameters.
        Raises:
            GitHubFailed: GitHub refused a request or did not respond.
        """
        url, parameters = self._base + path, {"per_page": _PAGE, **query}
        for _ in range(_PAGES):
            response = self._send("GET", url, params=parameters)
            found = _decoded(response)
            if isinstance(
                found, dict
            ):  # a list among counts, such as {"total_count": 1, "workflow_runs": [...]}
                found = next(value for value in found.values() if isinstance(value, list))
            yield from found
            # the next page's URL contains the parameters
            url, parameters = response.links.get("next", {}).get("url", ""), {}
            if not url:
                return

    def upload(self, url: str, name: str, content: bytes, media_type: str) -> Any:
        """Add a file to a release.

        Args:
            url: the release's `upload_url`, which ends in {?name,label}.
            name: the file's name.
            content: the file's bytes.
            media_type: its media type.
        Returns:
            GitHub's description of the uploaded file.
        Raises:
            GitHubFailed: GitHub refused the request or did not respond.
        """
        address = url.partition("{")[0]
        more = {"data": content, "params": {"name": name}, "headers": {"Content-Type": media_type}}
        return _decoded(self._send("POST", address, **more))

    def download(self, url: str) -> bytes:
        """Return the content of a release's file.

        Args:
            url: the file's `url`. GitHub redirects from there to a storage, which gets no token.
        Raises:
            GitHubFailed: GitHub refused the request or did not respond.
        """
        content: bytes = self._send("GET", url, headers={"Accept": "application/octet-stream"}).content
        return content

    def _send(self, method: str, url: str, **more: Any) -> requests.Response:
        said = f"{method} {url.removeprefix(self._base) or url}"
        try:
            response = self._session.request(method, url, timeout=_SECONDS, **more)
        except requests.RequestException as error:
            raise GitHubFailed(f"GitHub did not respond to {said}: {type(error).__name__}") from None
        if not response.ok:
            raise GitHubFailed(f"GitHub refused {said}: {_reason(response)}", response.status_code)
        return response


def _bearer(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return a function that adds the token to a request."""

    def authorized(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorized


def _decoded(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        asked = f"{response.request.method} {response.url.partition('?')[0]}"
        raise GitHubFailed(
            f"the response to {asked} is not JSON, so it is not from GitHub's API", response.status_code
        ) from None


def _reason(response: requests.Response) -> str:
    """Return GitHub's reason for a refusal, and what to do."""
    try:
        told = response.json()
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    details = "; ".join(_detail(each) for each in told.get("errors") or () if each)
    words = [f"{response.status_code} {told.get('message') or response.reason}"]
    words += [f"({details})"] if details else []
    # https://github.blog/changelog/2023-08-10-x-accepted-github-permissions-header-for-fine-grained-permission-actors
    needed = response.headers.get("X-Accepted-GitHub-Permissions")
    if response.status_code in (403, 404) and needed:
        granted = needed.replace("_", "-").replace("=", ": ").replace(";", " or")
        words.append(f"- add {granted} to the job's `permissions:`")
    if response.headers.get("X-RateLimit-Remaining") == "0":
        words.append("- the token's hourly rate limit is used up; run this again later")
    return " ".join(words)


def _detail(error: Any) -> str:
    """Format one of the errors in a 422 response."""
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or " ".join(str(error[key]) for key in ("field", "code") if key in error))
