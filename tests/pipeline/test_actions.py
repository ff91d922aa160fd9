"""The actions and the workflows: their pages say what they are, and they hand over what they say."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.lint.actionlint import program
from tests.usage import TREE, in_a_workflow, usages

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_parameters import HIDDEN, PARAMETER, PARAMETERS, input_of
from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.local.rehearsal import rewritten_tree
from pennyworth.pipeline.deploy.secret_parameters import SECRETS

ACTIONS = sorted(path.parent for path in ROOT.glob("actions/*/action.yml"))
WORKFLOWS = ROOT / ".github" / "workflows"
REUSABLE = sorted(path for path in WORKFLOWS.glob("*.yml") if "\n  workflow_call:" in path.read_text())
DEPLOY = WORKFLOWS / "deploy.yml"
IN_THE_PARAMETER_STORE = {"api-keys", "provider-credentials"}
USED = r"\$/actions/[\w-]+|(actions|aws-actions)/[\w/-]+@[0-9a-f]{40}"

each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda path: path.name)
each_workflow = pytest.mark.parametrize("workflow", REUSABLE, ids=lambda path: path.stem)


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def action_file(name: str) -> Path:
    return ROOT / "actions" / name / "action.yml"


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of an action or of a workflow's jobs."""
    found = document(path)
    for job in [found["runs"]] if "runs" in found else found["jobs"].values():
        yield from job.get("steps", [])


def triggers(workflow: Path) -> dict[str, Any]:
    found: dict[str, Any] = document(workflow)[True]  # type: ignore[index] # YAML reads `on` so
    return found


def read_inputs(step: dict[str, Any]) -> set[str]:
    said = {name: value for name, value in step.items() if name in {"env", "with", "if"}}
    return set(re.findall(r"inputs\.([\w-]+)", str(said)))


@each_action
def test_the_page_lists_every_input_and_output(action: Path) -> None:
    given = document(action / "action.yml")
    page = (action / "README.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    assert rows == [*given["inputs"], *given.get("outputs", {})]
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Usage", "Inputs", "Outputs", "Permissions", "Calls to AWS"]


@each_action
def test_inputs_reach_a_shell_only_through_its_environment(action: Path) -> None:
    used = set()
    for step in steps(action / "action.yml"):
        if "run" in step:
            assert "${{" not in step["run"]
            assert step["run"].startswith("set -euo pipefail\n")
        used |= read_inputs(step)
    assert used == set(document(action / "action.yml")["inputs"])


@pytest.mark.parametrize(
    "path", [*(action / "action.yml" for action in ACTIONS), *sorted(WORKFLOWS.glob("*.yml"))], ids=str
)
def test_other_actions_are_this_repositorys_own_or_pinned_and_get_what_they_take(path: Path) -> None:
    for step in steps(path):
        if used := step.get("uses"):
            assert re.fullmatch(USED, used)
            if used.startswith("$/"):
                inputs = document(action_file(used.rpartition("/")[2]))["inputs"]
                needed = {name for name, value in inputs.items() if value["required"]}
                assert needed <= set(step.get("with", {})) <= set(inputs), step.get("name")


@pytest.mark.parametrize("action", ["deploy", "sam-deploy", "preview", "validate", "build"])
def test_what_knows_the_stack_takes_its_parameters(action: str) -> None:
    environs = [step["env"] for step in steps(action_file(action)) if "run" in step]
    assert any(each.get(PARAMETERS) == "${{ inputs.parameters }}" for each in environs)
    declared = SourceTemplate.read(ROOT / "template.yaml").parameters
    for environ in environs:
        handed = {
            name.removeprefix(PARAMETER): value
            for name, value in environ.items()
            if name.startswith(PARAMETER)
        }
        assert set(handed) <= set(declared)
        assert all(value == f"${{{{ inputs.{input_of(name)} }}}}" for name, value in handed.items())


def test_every_parameter_that_no_line_may_set_has_an_input() -> None:
    (step,) = steps(action_file("sam-deploy"))
    assert {f"{PARAMETER}{name}" for name in HIDDEN} <= set(step["env"])


def test_every_hidden_stack_parameter_is_masked() -> None:
    declared = re.findall(
        r"^  (\w+):\n    Type: String\n    NoEcho: true", (ROOT / "template.yaml").read_text(), re.MULTILINE
    )
    assert set(declared) == set(SECRETS) == set(HIDDEN)


@each_workflow
def test_a_reusable_workflow_grants_nothing_but_to_its_jobs(workflow: Path) -> None:
    found = document(workflow)
    assert found["permissions"] == {}
    assert all("permissions" in job for job in found["jobs"].values())


def test_the_deployment_grants_no_more_than_it_says() -> None:
    found = document(DEPLOY)
    assert {name: job["permissions"] for name, job in found["jobs"].items()} == {
        "propose": {"contents": "read", "id-token": "write"},
        "deploy": {"contents": "read", "id-token": "write"},
        "discard": {"contents": "read", "id-token": "write"},
        "rollback": {"contents": "read", "id-token": "write"},
    }
    group = "deploy-${{ inputs.environment || 'stack' }}"
    assert found["concurrency"] == {"group": group, "queue": "max"}
    assert set(triggers(DEPLOY)) == {"push", "workflow_dispatch", "workflow_call"}
    assert triggers(DEPLOY)["push"] == {"branches": ["main"]}


@each_workflow
def test_a_workflows_page_lists_what_a_caller_may_say(workflow: Path) -> None:
    call = triggers(workflow)["workflow_call"]
    page = workflow.with_suffix(".md").read_text()
    inputs, secrets, outputs = (call.get(kind) or {} for kind in ("inputs", "secrets", "outputs"))
    granted: dict[str, str] = {}
    for job in document(workflow)["jobs"].values():
        for name, access in job["permissions"].items():
            granted[name] = "write" if "write" in (access, granted.get(name)) else access
    grants = [f"{name}: {access}" for name, access in granted.items()]
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert rows == [*inputs, *secrets, *outputs, *grants]
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Usage", "Inputs", "Secrets", "Outputs", "Required caller permissions"]


@each_workflow
def test_a_caller_declares_every_secret_and_input_that_the_workflow_reads(workflow: Path) -> None:
    text = workflow.read_text()
    call = triggers(workflow)["workflow_call"]
    by_itself = {"GITHUB_TOKEN"}
    assert set(re.findall(r"\bsecrets\.(\w+)", text)) - by_itself == set(call.get("secrets") or {})
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) == set(call.get("inputs") or {})
    dispatched = (triggers(workflow).get("workflow_dispatch") or {}).get("inputs") or {}
    assert set(dispatched) <= set(call.get("inputs") or {})


@each_workflow
def test_every_variable_may_be_said_as_an_input(workflow: Path) -> None:
    text = workflow.read_text()
    said = re.findall(r"inputs\.([\w-]+) \|\|(?: secrets\.(\w+) \|\|)? vars\.(\w+)", text)
    assert {variable for *_, variable in said} == set(re.findall(r"\bvars\.(\w+)", text))
    for name, secret, variable in said:
        own = re.sub("^LITELLM_(?=MODEL_PROVIDER)", "", variable).lower().replace("_", "-")
        assert name == re.sub("^aws-(deploy|view)-role-arn$", "role-to-assume", own)
        assert secret in ("", variable)  # a secret is never shadowed by an organisation's variable


@each_workflow
def test_what_names_an_account_may_be_an_input_and_what_opens_it_may_not(workflow: Path) -> None:
    text = workflow.read_text()
    openly = set(re.findall(r"inputs\.[\w-]+ \|\| secrets\.(\w+)", text))
    assert not openly & {
        "LITELLM_API_KEYS",
        "PROVIDER_CREDENTIALS",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    assert {"AWS_REGION", "STACK_NAME"} <= openly
    for name in openly:
        uses = re.findall(rf"\$\{{\{{ ([^}}]*\bsecrets\.{name}\b[^}}]*) \}}\}}", text)
        assert len({use for use in uses if "!secrets" not in use}) == 1, uses


@each_workflow
def test_a_workflow_lists_the_settings_that_it_reads(workflow: Path) -> None:
    text = workflow.read_text()
    settings = text.partition("# SETTINGS")[2].partition("\nname: ")[0]
    used = set(re.findall(r"\b(?:secrets|vars)\.(\w+)", text)) - {"GITHUB_TOKEN"}
    assert used == set(re.findall(r"\b[A-Z][A-Z0-9_]{6,}\b", settings)) - {"OPENAI_API_KEY"}


def test_the_deployment_can_set_every_stack_parameter() -> None:
    (job,) = (job for name, job in document(DEPLOY)["jobs"].items() if name == "deploy")
    (deploy,) = (step for step in job["steps"] if step.get("uses") == "$/actions/deploy")
    inputs = {
        name: set(document(action_file(name))["inputs"]) for name in ("deploy", "credentials", "sam-deploy")
    }
    # a called workflow can't ask for the permission to attest only where it is wanted
    not_to_be_said = {"attest", "execute", "junit", "smoke-wait-seconds"}
    assert set(deploy["with"]) == inputs["deploy"] - not_to_be_said
    by_the_action: defaultdict[str, set[str]] = defaultdict(set)
    for step in steps(action_file("deploy")):
        by_the_action[step.get("uses", "")] |= set(step.get("with", ()))
    assert by_the_action["$/actions/credentials"] == inputs["credentials"] >= IN_THE_PARAMETER_STORE
    assert by_the_action["$/actions/sam-deploy"] == inputs["sam-deploy"] - IN_THE_PARAMETER_STORE
    assert inputs["sam-deploy"] - inputs["deploy"] == {"template"}


def test_what_is_approved_has_the_settings_of_what_is_deployed() -> None:
    jobs = document(DEPLOY)["jobs"]
    proposed, deployed = (
        next(step["with"] for step in jobs[name]["steps"] if step.get("uses") == "$/actions/deploy")
        for name in ("propose", "deploy")
    )
    own = {"change-set", "execute"}
    assert set(proposed) - own <= set(deployed)
    assert {name: proposed[name] for name in set(proposed) - own} == {
        name: deployed[name] for name in set(proposed) - own
    }
    made = {
        name
        for step in steps(action_file("deploy"))
        if step.get("uses") == "$/actions/change-set"
        for name in step["with"]
    }
    assert made == set(document(action_file("change-set"))["inputs"])
    assert made - {"operation", "template"} <= set(proposed)
    # a name that GitHub dropped must not turn into a deployment of something else
    assert "|| 'missing'" in deployed["change-set"] and proposed["execute"] == "false"
    assert "needs.propose.result == 'success'" in jobs["deploy"]["environment"]


def test_credentials_last_as_long_as_each_part_of_a_deployment() -> None:
    order = [(step.get("uses", ""), step.get("with", {})) for step in steps(action_file("deploy"))]
    used = [name for name, _ in order]
    long = used.index("$/actions/sam-deploy")
    assert used[long - 1] == used[long + 1] == "$/actions/aws-auth"
    assert used[long - 2] == "$/actions/credentials"  # which has waited for other operations
    assert "wait-minutes" in order[long - 2][1]
    asked = [given["role-duration-seconds"] for name, given in order if name == "$/actions/aws-auth"]
    assert asked == ["${{ inputs.role-duration-seconds }}"] * 3
    (role, *_) = steps(action_file("aws-auth"))
    assert "inputs.role-duration-seconds" in role["with"]["role-duration-seconds"]
    pauses = sum(0.05 * 2**tried for tried in range(int(role["with"]["retry-max-attempts"])))
    assert pauses < 20  # at most: the real action doubles them, from 50 ms


def test_credentials_are_removed_only_after_good_smoke_tests() -> None:
    found = [(step.get("id", ""), step.get("with", {}).get("part")) for step in steps(action_file("deploy"))]
    before, tested, after = (
        found.index(step) for step in (("credentials", "write"), ("verify", None), ("", "remove"))
    )
    assert before < tested < after
    removal = list(steps(action_file("deploy")))[after]
    assert not any(word in removal["if"] for word in ("always()", "cancelled()", "failure()"))


def test_there_is_an_example_of_everything() -> None:
    pages = {usage.page for usage in usages()}
    assert pages == {
        *(action / "README.md" for action in ACTIONS),
        *(workflow.with_suffix(".md") for workflow in REUSABLE),
    }


def test_the_pages_examples_stand_the_linters(tmp_path: Path) -> None:
    tree = rewritten_tree(tmp_path / "tree")
    workflows = tree / ".github" / "workflows"
    for path in workflows.iterdir():
        if path not in {workflows / workflow.name for workflow in REUSABLE}:
            path.unlink()
    own, others = [], []
    (tree / ".git").mkdir()  # how actionlint finds the root that ./ is relative to
    for usage in usages():
        own.append(workflows / f"usage-{usage.name}.yml")
        own[-1].write_text(in_a_workflow(usage, TREE))
        others.append(tmp_path / f"{usage.name}.yml")
        others[-1].write_text(in_a_workflow(usage, f"owner/name@{'0' * 40}"))
    lint = environment("lint")
    for command in (
        [program(), "-shellcheck", lint / "shellcheck", "-pyflakes", "", *own],
        [lint / "zizmor", "--offline", "--quiet", *others],
    ):
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
