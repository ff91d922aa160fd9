"""Computes what a workflow's jobs may do, from their `permissions:`.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#permissions
"""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any

from pennyworth.host.environments import environment
from pennyworth.local.rehearsal.act import ActFailed

_LEVELS = ("none", "read", "write")
_ALL = (
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "security-events",
    "statuses",
)
_DEFAULT = {
    "contents": "read",
    "packages": "read",
}  # the default, if neither the job nor the workflow sets `permissions:`
_CALLED = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<path>\.github/workflows/[\w.-]+)@(?P<ref>[\w./-]+)"
)

# PyYAML is in the environment `tools`, because the rehearsal must run without it. It reads `on:` as True; unused here.
_AS_JSON = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin), default=str, skipkeys=True))"


def granted(tree: Path, workflow: str, repositories: Mapping[str, Path]) -> dict[str, str]:
    """Return the permissions of all jobs of a workflow together, because act gives all of them one token.

    Args:
        tree: the repository's files.
        workflow: the workflow file's path in it.
        repositories: folders to use for other repositories, by OWNER/NAME@REF.
    Raises:
        ActFailed: a called workflow needs more permissions than its caller grants.
    """
    read = _read(tree / workflow)
    return reduce(_either, (_of(job, read, tree, repositories) for job in read["jobs"].values()), {})


def _of(
    job: Mapping[str, Any], workflow: Mapping[str, Any], tree: Path, repositories: Mapping[str, Path]
) -> dict[str, str]:
    own = _stated(job.get("permissions", workflow.get("permissions", _DEFAULT)))
    called = str(job.get("uses", ""))
    if found := _CALLED.fullmatch(called):
        tree, path = repositories[f"{found['repository']}@{found['ref']}"], found["path"]
    elif called.startswith("./"):
        path = called
    else:
        return own
    theirs = granted(tree, path, repositories)
    for name, level in theirs.items():
        if _LEVELS.index(level) > _LEVELS.index(own.get(name, "none")):
            raise ActFailed(
                f"GitHub would not start it: {path} asks for {name}: {level}, its caller allows {own.get(name, 'none')}"
            )
    return theirs


def _stated(permissions: Any) -> dict[str, str]:
    if isinstance(permissions, str):  # read-all, write-all
        return dict.fromkeys(_ALL, permissions.removesuffix("-all"))
    return dict(permissions or {})


def _either(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    return {
        name: max(one.get(name, "none"), other.get(name, "none"), key=_LEVELS.index) for name in one | other
    }


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(_as_json(file.read_bytes()))
    return read


@cache
def _as_json(text: bytes) -> bytes:
    command: list[str | Path] = [environment("tools") / "python", "-c", _AS_JSON]
    return subprocess.run(command, input=text, capture_output=True, check=True).stdout
