"""The rehearsal's repository: what a run of each event finds, and what it may."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pennyworth.host.places import ROOT
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.issuer import PullRequest
from pennyworth.local.rehearsal.repository import CALLED, REPOSITORY, Event, Rehearsal, Repository

FORK = PullRequest(8, branch="theirs", fork="stranger/pennyworth")
PROBE = """\
name: Probe
on: [push, pull_request, schedule, workflow_dispatch]
permissions: {}
jobs:
  look:
    runs-on: RUNNER
    permissions: PERMISSIONS
    steps:
      - uses: actions/checkout@v7
      - name: Look
        env:
          GITHUB_TOKEN: ${{ github.token }}
          EVENT: ${{ toJSON(github.event) }}
          SECRET: ${{ secrets.STACK_NAME }}
          VARIABLE: ${{ vars.PARAMETERS }}
        run: |
          set -euo pipefail
          python3 look.py
"""
LOOK = """\
import json, os, urllib.error, urllib.request

environ = os.environ
names = ("GITHUB_REF", "GITHUB_EVENT_NAME", "GITHUB_HEAD_REF", "GITHUB_RUN_ID", "SECRET", "VARIABLE")
seen = {name: environ.get(name, "") for name in names} | {"event": json.loads(environ["EVENT"])}
if url := environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
    bearer = {"Authorization": "bearer " + environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]}
    with urllib.request.urlopen(urllib.request.Request(url + "&audience=x", headers=bearer)) as answer:
        seen["jwt"] = json.load(answer)["value"]
for method, path in (("GET", "/issues"), ("POST", "/issues")):
    request = urllib.request.Request(
        environ["GITHUB_API_URL"] + "/repos/" + environ["GITHUB_REPOSITORY"] + path,
        data=b'{"title": "Seen"}' if method == "POST" else None,
        headers={"Authorization": "Bearer " + environ["GITHUB_TOKEN"], "Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request) as answer:
            seen[method] = answer.status
    except urllib.error.HTTPError as refusal:
        seen[method] = refusal.code
print("SEEN " + json.dumps(seen))
"""


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository(None) as repository:
        repository.secrets["STACK_NAME"] = "endpoint"
        probe(repository, "{id-token: write, issues: write}")
        repository.write("look.py", LOOK)
        yield repository


def probe(repository: Repository, permissions: str, runner: str = "ubuntu-latest") -> None:
    text = PROBE.replace("PERMISSIONS", permissions).replace("RUNNER", runner)
    repository.write(".github/workflows/probe.yml", text)


@pytest.mark.parametrize(("runner", "runs"), [('["ubuntu-latest", "large"]', True), ("nowhere", False)])
def test_a_variable_chooses_the_runner(repository: Repository, runner: str, runs: bool) -> None:
    expressions = {
        job["runs-on"]
        for name in ("deploy", "preview", "health-check")
        for job in yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"].values()
    }
    (expression,) = expressions
    probe(repository, "{}", expression)
    repository.variables["RUNS_ON"] = runner
    try:
        job = repository.run("probe.yml", event="workflow_dispatch").job
    except act.ActFailed:
        assert not runs
    else:
        assert [step.name for step in job.steps] == (["actions/checkout@v7", "Look"] if runs else [])


def look(repository: Repository, **how: Any) -> dict[str, Any]:
    rehearsal: Rehearsal = repository.run("probe.yml", masked=False, **how)
    assert rehearsal.job.succeeded, rehearsal.job.output
    (line,) = (line for line in rehearsal.job.output if line.startswith("SEEN "))
    seen: dict[str, Any] = json.loads(line.removeprefix("SEEN "))
    if "jwt" in seen:
        assert claims(seen)["sub"] == rehearsal.presented
    return seen


def claims(seen: dict[str, Any]) -> dict[str, Any]:
    part = seen["jwt"].split(".")[1]
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return told


@pytest.mark.parametrize(
    ("event", "branch"), [("push", "release"), ("workflow_dispatch", "release"), ("schedule", "main")]
)
def test_a_run_on_a_branch_is_trusted_by_its_name(repository: Repository, event: Event, branch: str) -> None:
    seen = look(repository, event=event, branch=branch)
    assert claims(seen)["sub"] == f"repo:{REPOSITORY}:ref:refs/heads/{branch}"
    assert seen["GITHUB_REF"] == f"refs/heads/{branch}" and seen["GITHUB_EVENT_NAME"] == event
    assert (seen["SECRET"], seen["GET"], seen["POST"]) == ("endpoint", 200, 201)
    assert repository.github.issues[1]["title"] == "Seen"


def test_a_pull_requests_run_is_trusted_as_one(repository: Repository) -> None:
    seen = look(repository, event="pull_request")
    assert claims(seen)["sub"] == f"repo:{REPOSITORY}:pull_request"
    assert claims(seen)["head_ref"] == seen["GITHUB_HEAD_REF"] == "feature"
    assert seen["GITHUB_REF"] == "refs/pull/7/merge"
    assert seen["event"]["pull_request"]["base"]["sha"] == repository.github.commits.head("main")
    assert (seen["SECRET"], seen["POST"]) == ("endpoint", 201)


def test_a_forks_run_is_trusted_with_nothing(repository: Repository) -> None:
    seen = look(repository, event="pull_request", pull_request=FORK)
    assert "jwt" not in seen
    assert (seen["SECRET"], seen["VARIABLE"], seen["GET"], seen["POST"]) == ("", "", 200, 403)
    head = seen["event"]["pull_request"]["head"]
    assert (head["repo"]["full_name"], head["repo"]["fork"]) == (FORK.fork, True)


def test_a_jobs_environment_takes_the_branchs_place(repository: Repository) -> None:
    told = claims(look(repository, event="workflow_dispatch", inputs={"environment": "production"}))
    assert told["sub"] == f"repo:{REPOSITORY}:environment:production"
    assert told["environment"] == "production"


def test_a_run_may_what_the_workflow_says(repository: Repository) -> None:
    probe(repository, "{issues: read}")
    seen = look(repository)
    assert "jwt" not in seen
    assert (seen["GET"], seen["POST"]) == (200, 403)


def test_runs_follow_one_another_with_what_was_changed(repository: Repository) -> None:
    assert look(repository)["GITHUB_RUN_ID"] == "1"
    del repository.secrets["STACK_NAME"]
    repository.write("look.py", LOOK.replace("Seen", "Seen again"))
    seen = look(repository)
    assert (seen["GITHUB_RUN_ID"], seen["SECRET"]) == ("2", "")
    assert [issue["title"] for issue in repository.github.issues.values()] == ["Seen", "Seen again"]
    assert "Seen again" in repository.github.commits.file("main", "look.py")


def test_a_caller_that_grants_too_little_starts_nothing() -> None:
    caller = """\
on: push
permissions: {}
jobs:
  deploy:
    permissions: {contents: read}
    uses: REPOSITORY/.github/workflows/deploy.yml@REF
"""
    called, _, ref = CALLED.partition("@")
    with Repository(None, called=True) as repository:
        text = caller.replace("REPOSITORY", called).replace("REF", ref)
        repository.write(".github/workflows/caller.yml", text)
        with pytest.raises(act.ActFailed, match="asks for id-token: write, its caller allows none"):
            repository.run("caller.yml")
