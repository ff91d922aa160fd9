"""Whatever this project takes from others is proposed anew: .github/dependabot.yml knows every place."""

from typing import Any

import pytest
import yaml

from pennyworth.host.places import ROOT

PLACES = {
    "github-actions": (".github/workflows/*.yml", "actions/*/action.yml"),
    "pip": ("requirements/*.in",),
    "npm": ("tests/**/package.json",),
}
UPDATES: list[dict[str, Any]] = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]


def watched(ecosystem: str) -> set[str]:
    """The folders that are looked into, one that stands for several written out."""
    (update,) = (one for one in UPDATES if one["package-ecosystem"] == ecosystem)
    given = update.get("directories", [update.get("directory")])
    return {
        f"/{found.relative_to(ROOT)}" for one in given for found in ROOT.glob(one.strip("/") or ".github")
    }


@pytest.mark.parametrize("ecosystem", PLACES)
def test_every_place_is_watched(ecosystem: str) -> None:
    folders = {
        f"/{found.parent.relative_to(ROOT)}" for place in PLACES[ecosystem] for found in ROOT.glob(place)
    }
    folders = {"/.github" if folder == "/.github/workflows" else folder for folder in folders}
    assert folders and folders <= watched(ecosystem)


def test_every_proposal_rests_and_comes_with_its_kind() -> None:
    assert {update["package-ecosystem"] for update in UPDATES} == set(PLACES)
    assert all(update["cooldown"]["default-days"] >= 7 and update["groups"] for update in UPDATES)
