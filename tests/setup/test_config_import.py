"""`pennyworth config import`: the same file, without what has no effect here and without secrets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pennyworth.checks.config import Severity, check
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.setup.config_import import Imported, Step, import_config
from pennyworth.setup.config_import.edits import edit_yaml

CANARY = "sk-canary-0123456789abcdef"

CONFIG = f"""\
# the models
model_list:
  # ours
  - model_name: gpt # the good one
    litellm_params:
      model: openai/gpt-4o
      api_key: {CANARY} # our key
      tags: [a, b] # who
      rpm: 60
  - tpm: 3
    model_name: claude
    litellm_params: {{tags: [x], model: bedrock/anthropic.claude, max_parallel_requests: 3, temperature: 1}}
  - model_name: speech
    litellm_params: {{model: openai/tts-1, api_key: os.environ/OPENAI_API_KEY}}
    model_info: {{mode: telepathy}}

litellm_settings:
  success_callback:
    - langfuse
    - sentry # too
  # kept
  drop_params: true # yes
  set_verbose: true

router_settings:
  redis_host: cache
  redis_password: {CANARY}-2

general_settings:
  master_key: {CANARY}-3
  database_url: postgresql://me:{CANARY}@db/litellm
  custom_auth: my.auth
environment_variables: {{REGION: eu, LANGFUSE_SECRET_KEY: {CANARY}-4}}
"""

IMPORTED = """\
# the models
model_list:
  # ours
  - model_name: gpt # the good one
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY # our key
      rpm: 60
  - model_name: claude
    litellm_params: {model: bedrock/anthropic.claude, temperature: 1}

litellm_settings:
  # kept
  drop_params: true # yes
  set_verbose: true


general_settings:
  custom_auth: my.auth
environment_variables: {REGION: eu}
"""


def imported(folder: Path, text: str, name: str = "source.yaml") -> Imported:
    path = folder / name
    path.write_text(text)
    return import_config(path)


def settings(steps: tuple[Step, ...]) -> set[str]:
    return {step.setting for step in steps}


def test_what_has_an_effect_stays_with_its_comments_and_order(tmp_path: Path) -> None:
    result = imported(tmp_path, CONFIG)
    assert result.text == IMPORTED
    assert (tmp_path / "source.yaml").read_text() == CONFIG


def test_everything_that_is_not_there_any_more_is_listed_and_no_secret(tmp_path: Path) -> None:
    result = imported(tmp_path, CONFIG)
    assert settings(result.changed) == {"litellm_params.api_key"}
    assert settings(result.dropped) == {
        "litellm_params.tags",
        "model_list[].tpm",
        "litellm_params.max_parallel_requests",
        "the model speech",
        "litellm_settings.success_callback",
        "router_settings.redis_host",
        "router_settings.redis_password",
        "general_settings.master_key",
        "environment_variables.LANGFUSE_SECRET_KEY",
    }
    assert settings(result.left) == {
        "",
        "general_settings.database_url",
        "general_settings.custom_auth",
        "general_settings.master_key",
        "environment_variables.LANGFUSE_SECRET_KEY",
    }
    said = [step.says for step in result.left]
    assert "put these into PROVIDER_CREDENTIALS, as NAME=value: OPENAI_API_KEY" in said
    assert any("BedrockAccess=yes" in says for says in said)
    assert CANARY not in repr(result)


def test_the_check_only_asks_for_what_is_left_to_do(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(imported(tmp_path, CONFIG).text)
    found = check(path, {"OPENAI_API_KEY": "x"}).findings
    assert {(each.severity, each.place) for each in found if each.severity is not Severity.NOTE} == {
        (Severity.ERROR, "general_settings.custom_auth"),
        (Severity.WARNING, "model_list[1].litellm_params.model"),  # BedrockAccess
    }


@pytest.mark.parametrize(
    "around",
    [
        "replicas: 2\nproxy_config:\n{config}\nimage: x\n",
        "litellm:\n  other: 1\n  proxy_config:\n  {config}\n",
        "kind: Service\n---\nkind: ConfigMap\ndata:\n  config.yaml: |\n  {config}\n---\nkind: Secret\n",
    ],
)
def test_it_is_found_in_what_is_around_it(tmp_path: Path, around: str) -> None:
    inner = "# mine\nmodel_list:\n  # ours\n  - model_name: m\n    litellm_params: {model: openai/x}\n"
    depth = 4 if "  {config}" in around else 2
    indented = "".join(f"{' ' * depth}{line}" for line in inner.splitlines(keepends=True))
    text = around.replace("  {config}", "{config}").replace("{config}", indented.rstrip())
    result = imported(tmp_path, text)
    assert yaml.safe_load(result.text) == yaml.safe_load(inner)
    assert "# ours" in result.text and result.changed[0].says.startswith("taken out of ")


def test_several_files_become_one(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("model_list: [{model_name: b, litellm_params: {model: openai/b}}]\n")
    first = "include: [more.yaml]\nmodel_list: [{model_name: a, litellm_params: {model: openai/a}}]\n"
    result = imported(tmp_path, first)
    assert [each["model_name"] for each in yaml.safe_load(result.text)["model_list"]] == ["a", "b"]
    assert settings(result.changed) == {"include"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "there is no LiteLLM configuration"),
        ("", "there is no LiteLLM configuration"),
        ("model_list: [\n", "not valid YAML"),
        ("include: [none.yaml]\n", "No such file"),
    ],
)
def test_a_file_without_one_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OperationFailed, match=message):
        imported(tmp_path, text)


def test_a_file_of_models_that_nothing_serves_keeps_them(tmp_path: Path) -> None:
    entry = {"model_name": "m", "litellm_params": {"model": "openai/x"}, "model_info": {"mode": "telepathy"}}
    result = imported(tmp_path, json.dumps({"model_list": [entry]}))
    assert json.loads(result.text)["model_list"] == [entry]
    assert "the model m" in settings(result.left)


def test_one_secret_has_one_name_and_others_have_others(tmp_path: Path) -> None:
    def entry(name: str, key: str, provider: str = "openai") -> dict[str, Any]:
        params = {
            "model": f"{provider}/x",
            "api_key": key,
            "extra_headers": {"Authorization": f"Bearer {CANARY}-h"},
        }
        return {"model_name": name, "litellm_params": params}

    models = [
        entry("a", CANARY),
        entry("b", CANARY),
        entry("c", f"{CANARY}-c"),
        entry("d", f"{CANARY}-d", "groq"),
    ]
    result = imported(tmp_path, yaml.safe_dump({"model_list": models}))
    params = [each["litellm_params"] for each in yaml.safe_load(result.text)["model_list"]]
    names = [each["api_key"].removeprefix("os.environ/") for each in params]
    assert names == ["OPENAI_API_KEY", "OPENAI_API_KEY", "OPENAI_API_KEY_2", "GROQ_API_KEY"]
    assert {each["extra_headers"]["Authorization"] for each in params} == {
        "os.environ/EXTRA_HEADERS_AUTHORIZATION"
    }
    assert CANARY not in repr(result)


def test_the_functions_own_credentials_and_files_are_replaced(tmp_path: Path) -> None:
    text = """\
model_list:
  - model_name: bedrock
    litellm_params:
      aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID
      aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY
      model: bedrock/x
  - model_name: vertex
    litellm_params: {model: vertex_ai/x, vertex_credentials: /etc/key.json}
"""
    result = imported(tmp_path, text)
    bedrock, vertex = (each["litellm_params"] for each in yaml.safe_load(result.text)["model_list"])
    assert bedrock == {"model": "bedrock/x"}
    assert vertex == {"model": "vertex_ai/x", "vertex_credentials": "os.environ/VERTEXAI_CREDENTIALS"}


@pytest.mark.parametrize(
    ("text", "removed", "left"),
    [
        ("a: 1\nb: 2\n", {("a",)}, "b: 2\n"),
        ("a: 1\nb: 2", {("b",)}, "a: 1\n"),
        ("a: {x: 1, y: 2, z: 3}\n", {("a", "x"), ("a", "z")}, "a: {y: 2}\n"),
        ("a: {x: 1, y: 2}\nb: 1\n", {("a", "x"), ("a", "y")}, "b: 1\n"),
        ("a: [1, 2, 3]\n", {("a", 0), ("a", 1)}, "a: [3]\n"),
        ("a:\n- x: 1\n  y: 2\n- z\n", {("a", 0, "x")}, "a:\n- y: 2\n- z\n"),
        ("a:\n- x: 1\n- z\n", {("a", 0)}, "a:\n- z\n"),
        ("a: |\n  text\n  more\nb: 1\n", {("a",)}, "b: 1\n"),
        ("b: 1\na: >-\n  text\n# end\n", {("a",)}, "b: 1\n# end\n"),
        ("a:\n  b:\n    c: 1 # d\n  # of e\n  e: 2\n", {("a", "b")}, "a:\n  # of e\n  e: 2\n"),
    ],
)
def test_what_is_taken_out_leaves_the_rest_as_it_was(
    text: str, removed: set[tuple[str | int, ...]], left: str
) -> None:
    assert edit_yaml(text, removed, {}) == (left, True)


def test_a_value_is_replaced_whatever_its_style() -> None:
    text = 'a: "x" # c\nb: |\n  x\n  y\nc: {d: x}\n'
    places = {("a",): "new", ("b",): "new", ("c", "d"): "new"}
    assert edit_yaml(text, set(), places) == ("a: new # c\nb: new\nc: {d: new}\n", True)


def test_where_the_layout_can_not_stay_what_it_stands_for_does() -> None:
    text = "base: &base {x: 1, y: 2}\na: *base\n"
    edited, kept = edit_yaml(text, {("a", "x")}, {})
    assert not kept and yaml.safe_load(edited) == {"base": {"x": 1, "y": 2}, "a": {"y": 2}}


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "pennyworth.cli", "config", "import", *map(str, words)]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=120)


def test_the_command(tmp_path: Path) -> None:
    source, output = tmp_path / "source.yaml", tmp_path / "config.yaml"
    source.write_text(CONFIG)
    done = run(source, "--output", output)
    assert (done.returncode, output.read_text()) == (0, IMPORTED), done.stderr
    assert "Dropped, because it has no effect here:\n- litellm_params.tags: tags choose" in done.stdout
    assert f"pennyworth config check {output}" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    refused = run(source, "--output", output)
    assert refused.returncode == 1 and "add --force" in refused.stderr
    document = json.loads(run(source, "--output", output, "--force", "--json").stdout)
    assert document.keys() == {"file", "changed", "dropped", "left"}
    assert {"setting": "litellm_params.tags"}.items() <= document["dropped"][0].items()
