"""GitHub's REST API, as a workflow's step calls it: https://docs.github.com/rest.

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

_SECONDS = (10.0, 60.0)  # to connect, and for each answer
_PAGE = 100  # the most that GitHub lists at a time
_PAGES = 100  # of a list; more is no list that a step reads
_ATTEMPTS = 4
_WAIT_SECONDS = 60  # at most between two of them


class GitHubFailed(OperationFailed):
    """GitHub did not do what it was asked. The message says why, and holds no token."""

    def __init__(self, message: str, status: int = 0) -> None:
        """
        Args:
            message: what went wrong, and what to do about it where that is known.
            status: HTTP's; 0 where no answer came.
        """
        super().__init__(message)
        self.status = status


class _Again(Retry):  # type: ignore[misc]  # typed only where it is installed
    """Which answers are asked for again.

    Those that a request too many got, of any method: it was not looked at. And those of a gateway whose server did not
    answer, unless the request creates something, which may have been done.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether to ask again after an answer with a status."""
        # https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
        if has_retry_after and status_code in (403, 429):
            return True
        return status_code in (502, 503, 504) and method != "POST"


class GitHub:
    """A repository at GitHub."""

    def __init__(self, repository: str, token: str, api_url: str = "https://api.github.com") -> None:
        """
        Args:
            repository: OWNER/NAME.
            token: the job's GITHUB_TOKEN, or any other that may.
            api_url: where the API is.
        """
        self.repository = repository
        self._base = f"{api_url.rstrip('/')}/repos/{quote(repository)}"
        self._session = requests.Session()
        self._session.auth = _bearer(token)  # a header alone would give way to a .netrc
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
                "User-Agent": "pennyworth",
            }
        )
        again = _Again(
            total=_ATTEMPTS - 1,
            read=0,  # an answer that breaks off may have been done
            backoff_factor=1,
            retry_after_max=_WAIT_SECONDS,
            allowed_methods=None,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "GitHub":
        """The repository that a workflow runs for, by the variables that GitHub sets and the token that the step was
        given as GITHUB_TOKEN.

        Raises:
            OperationFailed: one of them is missing.
        """
        if not environ.get("GITHUB_TOKEN"):
            raise OperationFailed(
                "GITHUB_TOKEN is not set", "Hand the step the job's token: GITHUB_TOKEN: ${{ github.token }}."
            )
        names = ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_API_URL")
        return cls(*(required(environ, name) for name in names))

    def call(self, method: str, path: str, body: Any = None, **query: str | int) -> Any:
        """Ask for one thing.

        Args:
            method: HTTP's.
            path: below /repos/OWNER/NAME, such as /issues; empty for the repository itself.
            body: what is sent, as JSON.
            query: the address's parameters.
        Returns:
            the answer's JSON; None where there is none.
        Raises:
            GitHubFailed: GitHub refused, or no answer came.
        """
        response = self._send(method, self._base + path, json=body, params=query)
        return _decoded(response) if response.content else None

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Everything that a list holds, over all of its pages.

        Args:
            path: below /repos/OWNER/NAME, such as /issues.
            query: the address's parameters.
        Raises:
            GitHubFailed: GitHub refused, or no answer came.
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
            # the next page's address holds the parameters
            url, parameters = response.links.get("next", {}).get("url", ""), {}
            if not url:
                return

    def upload(self, url: str, name: str, content: bytes, media_type: str) -> Any:
        """Add a file to a release.

        Args:
            url: the release's `upload_url`, a template that ends in {?name,label}.
            name: the file's.
            content: its bytes.
            media_type: what they are.
        Returns:
            GitHub's description of it.
        Raises:
            GitHubFailed: GitHub refused, or no answer came.
        """
        address = url.partition("{")[0]
        more = {"data": content, "params": {"name": name}, "headers": {"Content-Type": media_type}}
        return _decoded(self._send("POST", address, **more))

    def _send(self, method: str, url: str, **more: Any) -> requests.Response:
        said = f"{method} {url.removeprefix(self._base) or url}"
        try:
            response = self._session.request(method, url, timeout=_SECONDS, **more)
        except requests.RequestException as error:
            raise GitHubFailed(f"GitHub did not answer {said}: {type(error).__name__}") from None
        if not response.ok:
            raise GitHubFailed(f"GitHub refused {said}: {_reason(response)}", response.status_code)
        return response


def _bearer(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """What puts the token into a request."""

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
            f"What answered {asked} is not GitHub's API: it sent no JSON", response.status_code
        ) from None


def _reason(response: requests.Response) -> str:
    """What GitHub says of a refusal, and what would help."""
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
        words.append(f"- the job's `permissions:` must hold {granted}")
    if response.headers.get("X-RateLimit-Remaining") == "0":
        words.append("- the token's requests for this hour are used up; run this again later")
    return " ".join(words)


def _detail(error: Any) -> str:
    """One of the reasons that a 422 lists."""
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or " ".join(str(error[key]) for key in ("field", "code") if key in error))
