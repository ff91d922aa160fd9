"""The fake of GitHub's API: it keeps what it is told, lets a token do what it may, and is as GitHub describes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.openapi import described

from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.local.github import Exchange, FakeGitHub
from pennyworth.local.github.answers import Request

REPOSITORY = "example/pennyworth"
ALL = {"contents": "write", "issues": "write", "pull-requests": "write"}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub(REPOSITORY, tmp_path / "github.git") as fake:
        tree = first_tree(fake)
        commit = fake.commits.git("commit-tree", tree, "-m", "First")
        fake.commits.git("update-ref", "refs/heads/main", commit)
        yield fake


def first_tree(fake: FakeGitHub) -> str:
    blob = fake.commits.git("hash-object", "-w", "--stdin", data=b"hello\n")
    return fake.commits.git("mktree", data=f"100644 blob {blob}\tREADME.md\n".encode())


def client(fake: FakeGitHub, permissions: dict[str, str] | None = None) -> GitHub:
    return GitHub(REPOSITORY, fake.grant(ALL if permissions is None else permissions), fake.api_url)


@contextmanager
def refusal(status: int, message: str = "GitHub refused") -> Iterator[None]:
    with pytest.raises(GitHubFailed, match=message) as caught:
        yield
    assert caught.value.status == status


def test_an_issue_lives_from_its_opening_to_its_end(fake: FakeGitHub) -> None:
    github = client(fake)
    label = {"name": "health", "color": "d73a4a", "description": "What the health check found"}
    github.call("POST", "/labels", label)
    with refusal(422, "already_exists"):
        github.call("POST", "/labels", label)
    number = github.call("POST", "/issues", {"title": "Down", "body": "It is.", "labels": ["health"]})[
        "number"
    ]
    fake.open_issue("Another")
    assert [issue["number"] for issue in github.pages("/issues", state="open", labels="health")] == [number]
    github.call("POST", f"/issues/{number}/comments", {"body": "Still."})
    github.call("PATCH", f"/issues/{number}", {"body": "It was."})
    github.call("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "completed"})
    assert list(github.pages("/issues", labels="health")) == []
    issue = github.call("GET", f"/issues/{number}")
    assert (issue["state"], issue["body"], issue["comments"]) == ("closed", "It was.", 1)
    assert fake.bodies(number) == ["Still."]
    with refusal(404):
        github.call("GET", "/issues/99")


def test_a_pull_requests_comment_is_updated_in_place(fake: FakeGitHub) -> None:
    fake.open_pull_request(7)
    fake.comment(7, "Nice.")
    github = client(fake, {"pull-requests": "write"})
    mine = github.call("POST", "/issues/7/comments", {"body": "one"})
    github.call("PATCH", f"/issues/comments/{mine['id']}", {"body": "two"})
    assert fake.bodies(7) == ["Nice.", "two"]
    assert mine["user"]["login"] == "github-actions[bot]"
    github.call("DELETE", f"/issues/comments/{mine['id']}")
    assert fake.bodies(7) == ["Nice."]


def test_a_list_comes_page_by_page(fake: FakeGitHub) -> None:
    for number in range(25):
        fake.open_issue(f"Issue {number}")
    found = list(client(fake).pages("/issues", per_page=10))
    assert len({issue["number"] for issue in found}) == len(found) == 25
    assert len(fake.exchanges) == 3


def test_a_commit_is_made_of_blobs_and_a_tree_and_main_is_moved_to_it(fake: FakeGitHub) -> None:
    github = client(fake)
    main = github.call("GET", "/git/ref/heads/main")["object"]["sha"]
    base = github.call("GET", f"/git/commits/{main}")["tree"]["sha"]
    blob = github.call("POST", "/git/blobs", {"content": "bye\n", "encoding": "utf-8"})["sha"]
    entry = {"path": "docs/a.md", "mode": "100644", "type": "blob", "sha": blob}
    tree = github.call("POST", "/git/trees", {"base_tree": base, "tree": [entry]})["sha"]
    body = {"message": "Release", "tree": tree, "parents": [main]}
    commit = github.call("POST", "/git/commits", body)
    assert commit["verification"]["verified"]  # GitHub signs what it commits itself
    assert fake.commits.head("main") == main
    github.call("PATCH", "/git/refs/heads/main", {"sha": commit["sha"]})
    assert fake.commits.file("main", "docs/a.md") == "bye"
    assert fake.commits.file("main", "README.md") == "hello"
    with refusal(422, "not a fast forward"):
        github.call("PATCH", "/git/refs/heads/main", {"sha": main})
    github.call("POST", "/git/refs", {"ref": "refs/tags/v1", "sha": main})
    with refusal(422, "already exists"):
        github.call("POST", "/git/refs", {"ref": "refs/tags/v1", "sha": main})


def test_no_job_may_change_the_workflows_folder(fake: FakeGitHub) -> None:
    github = client(fake)
    main = github.call("GET", "/git/ref/heads/main")["object"]["sha"]
    entry = {"path": ".github/workflows/deploy.md", "mode": "100644", "type": "blob", "content": "x"}
    tree = github.call("POST", "/git/trees", {"base_tree": main, "tree": [entry]})["sha"]
    commit = github.call("POST", "/git/commits", {"message": "x", "tree": tree, "parents": [main]})["sha"]
    with refusal(403, "not accessible by integration"):
        github.call("PATCH", "/git/refs/heads/main", {"sha": commit})


def test_a_published_release_can_no_longer_be_changed(fake: FakeGitHub) -> None:
    github = client(fake)
    main = fake.commits.head("main")
    draft = github.call(
        "POST", "/releases", {"tag_name": "v1.0.0", "target_commitish": main, "name": "1.0.0", "draft": True}
    )
    assert not fake.commits.tags()
    with refusal(404):
        github.call("GET", "/releases/tags/v1.0.0")
    github.upload(draft["upload_url"], "a.txt", b"a", "text/plain")
    published = github.call("PATCH", f"/releases/{draft['id']}", {"draft": False})
    assert published["immutable"] and fake.commits.tags() == ["v1.0.0"]
    assert fake.commits.ref("tags/v1.0.0") == main
    assert fake.releases.content("v1.0.0") == {"a.txt": b"a"}
    with refusal(422, "immutable release"):
        github.upload(draft["upload_url"], "b.txt", b"b", "text/plain")
    with refusal(422, "protected ref"):
        github.call("DELETE", "/git/refs/tags/v1.0.0")
    with refusal(422, "already_exists"):
        github.call("POST", "/releases", {"tag_name": "v1.0.0"})


@pytest.mark.parametrize(
    ("permissions", "method", "path", "body", "needed"),
    [
        ({"issues": "read"}, "POST", "/issues", {"title": "x"}, "issues: write"),
        ({"contents": "write"}, "GET", "/issues", None, "issues: read or pull-requests: read"),
        ({"contents": "read"}, "POST", "/releases", {"tag_name": "v1"}, "contents: write"),
        ({}, "GET", "/releases", None, "contents: read"),
        (ALL, "GET", "/immutable-releases", None, "administration: read"),
    ],
)
def test_a_token_may_what_the_jobs_permissions_say(
    fake: FakeGitHub, permissions: dict[str, str], method: str, path: str, body: Any, needed: str
) -> None:
    with refusal(403, f"not accessible by integration - add {needed} to the job's `permissions:`$"):
        client(fake, permissions).call(method, path, body)
    assert fake.issues == {} and not fake.releases.all


def test_a_token_that_is_none_or_over_is_refused(fake: FakeGitHub) -> None:
    with refusal(401, "Bad credentials"):
        GitHub(REPOSITORY, "ghs_wrong", fake.api_url).call("GET", "/issues")
    token = fake.grant(ALL)
    fake.revoke(token)
    with refusal(401, "Bad credentials"):
        GitHub(REPOSITORY, token, fake.api_url).call("GET", "/issues")


def said(method: str, path: str, body: Any = None, *, status: int = 204, **more: Any) -> Exchange:
    request = Request(method, f"/repos/{REPOSITORY}{path}", more.get("query", {}), body)
    return Exchange(request, status, more.get("answer"))


@pytest.mark.parametrize(
    ("exchange", "problem"),
    [
        (said("GET", "/isues"), "GET /repos/{owner}/{repo}/isues: GitHub knows no such path"),
        (said("PUT", "/issues"), "PUT /repos/{owner}/{repo}/issues: GitHub knows no such method there"),
        (
            said("GET", "/issues", query={"label": "x"}, status=404),
            "query.label: GitHub knows no such parameter",
        ),
        (said("GET", "/issues", query={"per_page": "x"}, status=404), "query.per_page: 'x' is not of type"),
        (
            said("GET", "/issues", query={"state": "opened"}, status=404),
            "query.state: 'opened' is not one of",
        ),
        (said("POST", "/issues", status=404), "body: is missing"),
        (said("POST", "/issues", {"body": "x"}, status=404), "body: 'title' is a required property"),
        (
            said("POST", "/issues", {"title": "x", "lables": []}, status=404),
            "body.lables: GitHub knows no such field",
        ),
        (said("PATCH", "/issues/1", {"state": "shut"}, status=404), "body.state: 'shut' is not one of"),
        (
            said("POST", "/git/trees", {"tree": [{"path": 1}]}, status=404),
            "body.tree[0].path: 1 is not of type",
        ),
        (said("POST", "/issues", b"title=x", status=404), "body: is no JSON"),
        (said("DELETE", "/issues/comments/1", {"a": 1}), "body: GitHub expects none"),
        (said("DELETE", "/issues/comments/1", status=200, answer={}), "answer: GitHub never answers 200"),
        (said("DELETE", "/issues/comments/1", answer={}), "answer: GitHub says nothing with 204"),
        (said("GET", "/issues/1", status=200), "answer: is missing"),
        (
            said("GET", "/labels", status=200, answer=[{"id": "1"}]),
            "answer[0].id: '1' is not of type 'integer'",
        ),
        (
            said("GET", "/git/ref/heads/main", status=200, answer={}),
            "answer: 'object' is a required property",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_github_does_not_know_is_found(exchange: Exchange, problem: str) -> None:
    problems = described().problems(exchange)
    assert any(problem in found for found in problems), problems


def test_a_wrong_call_over_the_wire_is_found(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Exchange] = []
    monkeypatch.setattr(FakeGitHub, "observers", [heard.append])
    client(fake).call("POST", "/issues", {"title": "x", "asignee": "me"})
    (exchange,) = heard
    assert described().problems(exchange) == [
        "POST /repos/{owner}/{repo}/issues: body.asignee: GitHub knows no such field"
    ]
