"""The examples on the pages of actions and workflows, as workflows that can be linted and run."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pennyworth.host.places import ROOT

TREE = "./"
"""Where an example's actions and workflows come from that lies in their own repository."""

_EXAMPLE = re.compile(r"^## Usage\n.*?^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"OWNER/REPOSITORY/(\S+)@[\w.-]+")

_BEFORE = {
    # what an example takes from a step before it
    "steps.build.outputs.template": "build"
}


@dataclass(frozen=True, slots=True)
class Usage:
    """A page's example."""

    page: Path
    text: str

    @property
    def name(self) -> str:
        """The action's name, or the workflow's."""
        return self.page.parent.name if self.page.name == "README.md" else self.page.stem


def usages() -> list[Usage]:
    """The first example of every page, below Usage."""
    pages = sorted([*ROOT.glob("actions/*/README.md"), *ROOT.glob(".github/workflows/*.md")])
    return [Usage(page, found[1]) for page in pages if (found := _EXAMPLE.search(page.read_text()))]


def usage(name: str) -> Usage:
    """An action's example."""
    (found,) = (one for one in usages() if one.page == ROOT / "actions" / name / "README.md")
    return found


def taken_from(text: str, source: str) -> str:
    """An example whose actions and workflows lie in OWNER/NAME@REF, or in TREE."""
    repository, _, ref = source.partition("@")
    return _NAMED.sub(r"./\g<1>" if source == TREE else rf"{repository}/\g<1>@{ref}", text)


def in_a_workflow(example: Usage, source: str) -> str:
    """A whole workflow: the example itself, or one whose job has its steps.

    Args:
        example: the example.
        source: what stands for OWNER/REPOSITORY and its tag in it, OWNER/NAME@REF or TREE.
    """
    if example.page.name != "README.md":
        return taken_from(example.text, source)
    before = [usage(name).text for used, name in _BEFORE.items() if used in example.text]
    return steps_in_a_workflow("".join([*before, example.text]), source)


def steps_in_a_workflow(steps: str, source: str) -> str:
    """A workflow whose one job has these steps."""
    indented = "".join(f"      {line}\n" for line in taken_from(steps, source).splitlines())
    checkout = "" if source != TREE or "actions/checkout@" in steps else _CHECKOUT
    return f"{_AROUND}{checkout}{indented}"


def steps_of(text: str) -> list[dict[str, Any]]:
    """An example's steps."""
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


_AROUND = """\
name: Example
on:
  workflow_dispatch:
permissions: {}
concurrency:
  group: example
jobs:
  example:
    name: Example
    runs-on: ubuntu-latest
    permissions:
      attestations: write # store what is attested of a package
      contents: read # check the repository out
      id-token: write # GitHub's word for this run
      issues: write # tell of what is wrong
      pull-requests: write # comment
    steps:
"""
_CHECKOUT = """\
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
"""
