"""Whether a run uses this project at a pinned commit of another repository."""

from pathlib import Path

import pytest

from pennyworth.github.pinned_source import find_pinned_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("root", "repository", "expected"),
    [
        (f"/runner/_actions/Octo/pennyworth/{COMMIT}", "me/mine", f"Octo/pennyworth@{COMMIT}"),
        (f"/runner/_actions/Octo/pennyworth/{COMMIT}", "octo/pennyworth", ""),
        (f"/runner/_actions/Octo/pennyworth/{COMMIT}", "", ""),
        ("/runner/_actions/Octo/pennyworth/v1.0.0", "me/mine", ""),
        ("/runner/_actions/Octo/pennyworth/main", "me/mine", ""),
        (f"/runner/mine/mine/{COMMIT}", "me/mine", ""),
        ("/", "me/mine", ""),
    ],
)
def test_only_a_commit_of_another_repository_is_pinned(root: str, repository: str, expected: str) -> None:
    assert find_pinned_source(Path(root), {"GITHUB_REPOSITORY": repository}) == expected
