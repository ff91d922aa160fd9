"""Which workflow deploys, as a token will name it."""

import subprocess
from pathlib import Path

import pytest

from pennyworth.github.deploying_workflows import FILE, find_deploying_workflows

REPOSITORY = "owner/repository"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CALLED = f"elsewhere/endpoint/{FILE}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for words in (["init", "--quiet"], ["remote", "add", "origin", f"https://github.com/{REPOSITORY}.git"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / ".github/workflows").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("pinned", "named"),
    [
        (COMMIT, COMMIT),
        (f"{COMMIT} # v1.2.3", COMMIT),
        ("v1", "refs/tags/v1"),
        ("v1.2.3", "refs/tags/v1.2.3"),
        ("main", "refs/heads/main"),
        ("refs/heads/v2", "refs/heads/v2"),
    ],
)
def test_it_is_the_called_one_at_what_its_caller_pins(checkout: Path, pinned: str, named: str) -> None:
    jobs = {"deploy": f"{CALLED}@{pinned}", "other": "elsewhere/x/.github/workflows/x.yml@v1"}
    caller = "jobs:\n" + "".join(f"  {name}:\n    uses: {called}\n" for name, called in jobs.items())
    (checkout / ".github/workflows/anything.yaml").write_text(caller)
    assert find_deploying_workflows(REPOSITORY, ["main"], checkout) == [f"{CALLED}@{named}"]
    assert find_deploying_workflows("Owner/Repository", ["main"], checkout / ".github") == [
        f"{CALLED}@{named}"
    ]
    assert find_deploying_workflows("somebody/repository", ["main"], checkout) == []


def test_it_is_the_repositorys_own_one_on_the_branches_that_deploy(checkout: Path) -> None:
    assert find_deploying_workflows(REPOSITORY, ["main"], checkout) == []
    (checkout / FILE).write_text("jobs:\n  deploy:\n    steps:\n      - uses: $/actions/deploy\n")
    assert find_deploying_workflows(REPOSITORY, ["main", "staging"], checkout) == [
        f"{REPOSITORY}/{FILE}@refs/heads/main",
        f"{REPOSITORY}/{FILE}@refs/heads/staging",
    ]


def test_where_nothing_is_checked_out_nothing_is_found(tmp_path: Path) -> None:
    assert find_deploying_workflows(REPOSITORY, ["main"], tmp_path) == []
