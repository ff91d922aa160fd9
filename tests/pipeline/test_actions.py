"""The actions and the workflow: their pages say what they are, and they hand over what they say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pennyworth.host.places import ROOT
from pennyworth.pipeline.steps.deploy import PARAMETER, SECRETS
from pennyworth.pipeline.steps.deploy import parameters as stack_parameters

ACTIONS = sorted((ROOT / "actions").iterdir())
DEPLOY = ROOT / ".github" / "workflows" / "deploy.yml"
NEEDED = "(needed)"
OF_THE_STACK = ("credentials", "sam-deploy")
"""The actions that take what the stack is made with."""


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


@pytest.mark.parametrize("action", ACTIONS, ids=lambda path: path.name)
def test_the_page_lists_every_input_and_output_as_it_is(action: Path) -> None:
    given = document(action / "action.yml")
    page = (action / "README.md").read_text()
    for name, value in given["inputs"].items():
        default = NEEDED if value["required"] else f"`{value['default']}`" if value["default"] else ""
        assert f"| `{name}` | {cell(value['description'])} | {default} |" in page
    for name, value in given.get("outputs", {}).items():
        assert f"| `{name}` | {cell(value['description'])} |" in page
    rows = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    assert rows == [*given["inputs"], *given.get("outputs", {})]
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Usage", "Inputs", "Outputs", "Permissions", "Calls to AWS"]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda path: path.name)
def test_inputs_reach_a_shell_only_through_its_environment(action: Path) -> None:
    given = document(action / "action.yml")
    used = set()
    for step in given["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["run"].startswith("set -euo pipefail\n")
        used |= set(re.findall(r"inputs\.([\w-]+)", " ".join(map(str, step["env"].values()))))
    assert used == set(given["inputs"])


def test_every_stack_parameter_is_an_input_of_the_deployment() -> None:
    (step,) = document(ROOT / "actions" / "sam-deploy" / "action.yml")["runs"]["steps"]
    handed = {name.removeprefix(PARAMETER) for name in step["env"] if name.startswith(PARAMETER)}
    found_by_itself = {"PermissionsBoundaryArn"}
    assert handed | found_by_itself == set(stack_parameters(ROOT / "template.yaml", {}))


def test_every_hidden_stack_parameter_is_masked() -> None:
    declared = re.findall(
        r"^  (\w+):\n    Type: String\n    NoEcho: true", (ROOT / "template.yaml").read_text(), re.MULTILINE
    )
    assert {PARAMETER + name for name in declared} == set(SECRETS)


def test_the_workflow_grants_no_more_than_it_says() -> None:
    workflow = document(DEPLOY)
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    group = "deploy-${{ inputs.environment || 'stack' }}"
    assert workflow["concurrency"] == {"group": group, "queue": "max"}
    triggers = workflow[True]  # YAML reads `on` so
    assert set(triggers) == {"push", "workflow_dispatch", "workflow_call"}
    assert triggers["push"] == {"branches": ["main"]}


def test_the_workflows_page_lists_what_a_caller_may_say() -> None:
    call = document(DEPLOY)[True]["workflow_call"]
    page = DEPLOY.with_suffix(".md").read_text()
    for name, value in call["inputs"].items():
        default = value["default"]
        shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else ""
        assert f"| `{name}` | {cell(value['description'])} | {shown} |" in page
    for name, value in {**call["secrets"], **call["outputs"]}.items():
        assert f"| `{name}` | {cell(value['description'])} |" in page
    permissions = document(DEPLOY)["jobs"]["deploy"]["permissions"]
    grants = [f"{name}: {access}" for name, access in permissions.items()]
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert rows == [*call["inputs"], *call["secrets"], *call["outputs"], *grants]
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Usage", "Inputs", "Secrets", "Outputs", "Required caller permissions"]


def test_a_caller_declares_every_secret_and_input_that_the_workflow_reads() -> None:
    text = DEPLOY.read_text()
    call = document(DEPLOY)[True]["workflow_call"]
    assert set(re.findall(r"\bsecrets\.(\w+)", text)) == set(call["secrets"])
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) == set(call["inputs"])
    assert set(document(DEPLOY)[True]["workflow_dispatch"]["inputs"]) <= set(call["inputs"])


def test_every_variable_may_be_said_as_an_input() -> None:
    said = re.findall(r"inputs\.([\w-]+) \|\| vars\.(\w+)", DEPLOY.read_text())
    assert {variable for _, variable in said} == set(re.findall(r"\bvars\.(\w+)", DEPLOY.read_text()))
    for name, variable in said:
        own = "MODEL_PROVIDER" if variable == "LITELLM_MODEL_PROVIDER" else variable
        assert name == own.lower().replace("_", "-")


def test_the_workflow_names_no_repository_but_those_of_its_pinned_actions() -> None:
    (job,) = document(DEPLOY)["jobs"].values()
    for step in job["steps"]:
        if used := step.get("uses"):
            assert re.fullmatch(r"\$/actions/[\w-]+|(actions|aws-actions)/[\w-]+@[0-9a-f]{40}", used)


def test_the_workflow_lists_the_settings_that_it_reads() -> None:
    text = DEPLOY.read_text()
    settings = text.partition("# SETTINGS")[2].partition("name: Deploy\n")[0]
    used = set(re.findall(r"\b(?:secrets|vars)\.(\w+)", text))
    assert used == set(re.findall(r"\b[A-Z][A-Z0-9_]{6,}\b", settings)) - {"OPENAI_API_KEY"}


def test_the_workflow_can_set_every_stack_parameter() -> None:
    (job,) = document(DEPLOY)["jobs"].values()
    handed = {step.get("uses"): set(step.get("with", {})) for step in job["steps"]}
    inputs = {name: set(document(ROOT / "actions" / name / "action.yml")["inputs"]) for name in OF_THE_STACK}
    in_the_parameter_store = {"api-keys", "provider-credentials"}
    assert handed["$/actions/credentials"] == inputs["credentials"] >= in_the_parameter_store
    assert handed["$/actions/sam-deploy"] == inputs["sam-deploy"] - in_the_parameter_store
