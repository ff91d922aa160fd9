"""Issues with comments and labels. Pull requests count as issues.

https://docs.github.com/rest/issues
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pennyworth.host.lists import split_list
from pennyworth.local.github.answers import Request, Routes, invalid, not_found

Json = dict[str, Any]

routes = Routes()

BOT = "github-actions[bot]"
_BOT_ID = 41898282
_EITHER = ("issues: write", "pull-requests: write")
_COLOUR = "ededed"  # the colour of a label that is created with an issue
_CHANGEABLE = ("title", "body", "state", "state_reason")


def now() -> str:
    """Return the current time in GitHub's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(login: str = BOT) -> Json:
    """Return a user's description; by default that of a workflow's token."""
    url = f"https://api.github.com/users/{login}"
    kinds = ("followers", "subscriptions", "orgs", "repos", "received_events")
    names = {"subscriptions": "subscriptions_url", "orgs": "organizations_url"}
    return {
        "login": login,
        "id": _BOT_ID if login == BOT else 1,
        "node_id": "U_1",
        "avatar_url": "https://avatars.githubusercontent.com/u/1",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.com/{login}",
        **{names.get(kind, f"{kind}_url"): f"{url}/{kind}" for kind in kinds},
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "events_url": f"{url}/events{{/privacy}}",
        "type": "Bot" if login == BOT else "User",
        "site_admin": False,
    }


class Issues:
    """The repository's issues."""

    def __init__(self, url: str, page: str) -> None:
        """
        Args:
            url: the repository's API URL.
            page: the repository's web page.
        """
        self._url = url
        self._page = page
        self.issues: dict[int, Json] = {}
        """Issues and pull requests by number, in GitHub's format."""
        self.comments: dict[int, Json] = {}
        """Comments by ID in GitHub's format, oldest first."""
        self.labels: dict[str, Json] = {}
        """By name."""

    def open(self, title: str, body: str | None, labels: Iterable[str], author: str = BOT) -> Json:
        """A new issue."""
        number = max(self.issues, default=0) + 1
        return self._add(number, title, body, labels, author)

    def open_pull_request(self, number: int, author: str) -> Json:
        """Create a pull request with this number, unless it exists."""
        if number not in self.issues:
            links = {
                name: f"{self._page}/pull/{number}{end}"
                for name, end in {"html_url": "", "diff_url": ".diff", "patch_url": ".patch"}.items()
            }
            issue = self._add(number, "A change", "", (), author)
            issue["pull_request"] = {"url": f"{self._url}/pulls/{number}", **links}
        return self.issues[number]

    def bodies(self, number: int) -> list[str]:
        """Return the texts of the comments on an issue or a pull request, oldest first."""
        return [comment["body"] for comment in self.comments_on(number)]

    def comments_on(self, number: int) -> list[Json]:
        """Return the comments on an issue or a pull request, oldest first."""
        url = f"{self._url}/issues/{number}"
        return [comment for comment in self.comments.values() if comment["issue_url"] == url]

    def comment(self, number: int, body: str, author: str = BOT) -> Json:
        """A new comment."""
        identity = max(self.comments, default=1000) + 1
        self.comments[identity] = {
            "id": identity,
            "node_id": f"IC_{identity}",
            "url": f"{self._url}/issues/comments/{identity}",
            "html_url": f"{self._page}/issues/{number}#issuecomment-{identity}",
            "issue_url": f"{self._url}/issues/{number}",
            "user": user(author),
            "body": body,
            "created_at": now(),
            "updated_at": now(),
            "author_association": "NONE",
        }
        self.issues[number]["comments"] += 1
        return self.comments[identity]

    def label(self, name: str, colour: str = _COLOUR, description: str | None = None) -> Json:
        """Return a label. Creates it if necessary."""
        if name not in self.labels:
            identity = len(self.labels) + 1
            self.labels[name] = {
                "id": identity,
                "node_id": f"LA_{identity}",
                "url": f"{self._url}/labels/{name}",
                "name": name,
                "description": description,
                "color": colour,
                "default": False,
            }
        return self.labels[name]

    def _add(self, number: int, title: str, body: str | None, labels: Iterable[str], author: str) -> Json:
        url = f"{self._url}/issues/{number}"
        self.issues[number] = {
            "id": 10_000 + number,
            "node_id": f"I_{number}",
            "url": url,
            "repository_url": self._url,
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": f"{self._page}/issues/{number}",
            "number": number,
            "state": "open",
            "state_reason": None,
            "title": title,
            "body": body,
            "user": user(author),
            "labels": [self.label(name) for name in labels],
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "locked": False,
            "comments": 0,
            "closed_at": None,
            "created_at": now(),
            "updated_at": now(),
            "author_association": "NONE",
        }
        return self.issues[number]


def _issue(issues: Issues, number: str) -> Json:
    try:
        return issues.issues[int(number)]
    except KeyError:
        raise not_found() from None


@routes("GET", "/issues", "issues: read", "pull-requests: read")
def _list(issues: Issues, request: Request) -> list[Json]:
    state = request.query.get("state", "open")
    labels = set(split_list(request.query.get("labels", "")))
    creator = request.query.get("creator")
    oldest_first = request.query.get("direction") == "asc"
    found = [
        issue
        for issue in issues.issues.values()
        if state in ("all", issue["state"])
        and labels <= {label["name"] for label in issue["labels"]}
        and creator in (None, issue["user"]["login"])
    ]
    return sorted(found, key=lambda issue: int(issue["number"]), reverse=not oldest_first)


@routes("POST", "/issues", "issues: write", status=201)
def _open(issues: Issues, request: Request) -> Json:
    if not request.body.get("title"):
        raise invalid("Issue", "title", "missing_field")
    names = [each if isinstance(each, str) else each["name"] for each in request.body.get("labels", [])]
    return issues.open(str(request.body["title"]), request.body.get("body"), names)


@routes("GET", "/issues/{number}", "issues: read", "pull-requests: read")
def _get(issues: Issues, _: Request, number: str) -> Json:
    return _issue(issues, number)


@routes("PATCH", "/issues/{number}", *_EITHER)
def _change(issues: Issues, request: Request, number: str) -> Json:
    issue = _issue(issues, number)
    issue |= {name: request.body[name] for name in _CHANGEABLE if name in request.body}
    if "labels" in request.body:
        issue["labels"] = [issues.label(name) for name in request.body["labels"]]
    if request.body.get("state") == "closed":
        issue["closed_at"] = now()
        issue["state_reason"] = request.body.get("state_reason") or "completed"
    elif request.body.get("state") == "open":
        issue["closed_at"], issue["state_reason"] = None, "reopened"
    issue["updated_at"] = now()
    return issue


@routes("GET", "/issues/{number}/comments", "issues: read", "pull-requests: read")
def _comments(issues: Issues, _: Request, number: str) -> list[Json]:
    _issue(issues, number)
    return issues.comments_on(int(number))


@routes("POST", "/issues/{number}/comments", *_EITHER, status=201)
def _comment(issues: Issues, request: Request, number: str) -> Json:
    _issue(issues, number)
    if not request.body.get("body"):
        raise invalid("IssueComment", "body", "missing_field")
    return issues.comment(int(number), str(request.body["body"]))


@routes("GET", "/issues/comments/{number}", "issues: read", "pull-requests: read")
def _get_comment(issues: Issues, _: Request, number: str) -> Json:
    if int(number) not in issues.comments:
        raise not_found()
    return issues.comments[int(number)]


@routes("PATCH", "/issues/comments/{number}", *_EITHER)
def _change_comment(issues: Issues, request: Request, number: str) -> Json:
    comment = _get_comment(issues, request, number)
    comment |= {"body": request.body["body"], "updated_at": now()}
    return comment


@routes("DELETE", "/issues/comments/{number}", *_EITHER, status=204)
def _delete_comment(issues: Issues, request: Request, number: str) -> None:
    comment = _get_comment(issues, request, number)
    issues.issues[int(comment["issue_url"].rpartition("/")[2])]["comments"] -= 1
    del issues.comments[int(number)]


@routes("POST", "/issues/{number}/labels", *_EITHER)
def _add_labels(issues: Issues, request: Request, number: str) -> list[Json]:
    issue = _issue(issues, number)
    known = {label["name"] for label in issue["labels"]}
    issue["labels"] += [issues.label(name) for name in request.body["labels"] if name not in known]
    labels: list[Json] = issue["labels"]
    return labels


@routes("GET", "/labels", "issues: read", "pull-requests: read")
def _labels(issues: Issues, _: Request) -> list[Json]:
    return list(issues.labels.values())


@routes("GET", "/labels/{name}", "issues: read", "pull-requests: read")
def _get_label(issues: Issues, _: Request, name: str) -> Json:
    if name not in issues.labels:
        raise not_found()
    return issues.labels[name]


@routes("POST", "/labels", *_EITHER, status=201)
def _new_label(issues: Issues, request: Request) -> Json:
    name = str(request.body["name"])
    if name in issues.labels:
        raise invalid("Label", "name", "already_exists")
    return issues.label(name, request.body.get("color", _COLOUR), request.body.get("description"))
