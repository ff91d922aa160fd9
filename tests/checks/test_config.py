"""`pennyworth config check`: every finding, with its line; nothing found where nothing is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pennyworth.checks.config import Report, Severity, StackSettings, catalogue, check, render
from pennyworth.gateway.config import load
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.grades import Grade
from pennyworth.gateway.providers import PROVIDERS
from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT

# what LiteLLM's own documentation shows its users, and what they make of it
CONFIG = """\
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: os.environ/AZURE_API_BASE
      api_key: "os.environ/AZURE_API_KEY"
      api_version: "2024-10-21"
      tags: [eu]
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o, api_key: os.environ/OPENAI_API_KEY, weight: 3}
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
    model_info: {mode: chat}
litellm_settings:
  drop_params: true
  success_callback: [langfuse]
router_settings: {model_group_alias: {gpt-4: gpt-4o}, routing_strategy: simple-shuffle}
general_settings: {master_key: os.environ/MASTER}
environment_variables: {REGION: eu}
"""

COMPLETE = {
    "AZURE_API_BASE": "https://x.openai.azure.com",
    "AZURE_API_KEY": "value-of-azure-key",
    "OPENAI_API_KEY": "value-of-openai-key",
    "ANTHROPIC_API_KEY": "value-of-anthropic-key",
    "MASTER": "value-of-master-key",
}


def checked(
    folder: Path, text: str, environ: dict[str, str] | None = None, stack: StackSettings | None = None
) -> Report:
    path = folder / "config.yaml"
    path.write_text(text)
    return check(path, environ or {}, stack)


def one_model(**params: Any) -> str:
    return json.dumps({"model_list": [{"model_name": "m", "litellm_params": params}]})


def said(report: Report, severity: Severity) -> list[tuple[int | None, str, str]]:
    return [(f.line, f.place, f.message) for f in report.findings if f.severity is severity]


def found(report: Report, fragment: str) -> tuple[Severity, int | None]:
    (finding,) = [finding for finding in report.findings if fragment in finding.message]
    return finding.severity, finding.line


def test_a_fallback_to_no_model_is_told_at_its_line(tmp_path: Path) -> None:
    text = """model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_key: os.environ/KEY}}
router_settings:
  fallbacks:
    - m: [m, gone]
  default_fallbacks: [absent]
"""
    report = checked(tmp_path, text, {"KEY": "value-of-key"})
    assert found(report, "names gone, which is no model here") == (Severity.WARNING, 5)
    assert found(report, "names absent, which is no model here") == (Severity.WARNING, 6)
    assert not [f for f in report.findings if "names m," in f.message]


def test_a_section_that_is_none_is_no_trap_for_the_fallbacks(tmp_path: Path) -> None:
    text = one_model(model="openai/x", api_base="https://example.com/v1")
    broken = json.dumps(json.loads(text) | {"router_settings": ["fallbacks"], "litellm_settings": "none"})
    places = [finding.place for finding in checked(tmp_path, broken).findings]
    assert {"router_settings", "litellm_settings"} <= set(places)


def test_a_provider_that_there_is_not_is_not_said_to_be_translated_for(tmp_path: Path) -> None:
    report = checked(tmp_path, one_model(model="anthropc/claude"), {})
    assert report.failed()
    assert report.models[0].reason == "LiteLLM knows no provider anthropc"


def test_each_model_is_told_its_lane_why_and_what_it_needs(tmp_path: Path) -> None:
    report = checked(tmp_path, CONFIG, {"OPENAI_API_KEY": "x"})
    azure, openai, claude = report.models
    assert [(m.line, m.provider, m.lane) for m in report.models] == [
        (2, "azure", "direct"),
        (9, "openai", "direct"),
        (11, "anthropic", "litellm"),
    ]
    assert all("OpenAI's API" in model.reason for model in (azure, openai))
    assert "translates" in claude.reason
    needed = {(need.variables[0], need.met) for model in report.models for need in model.needs}
    assert needed == {
        ("AZURE_API_BASE", False),
        ("AZURE_API_KEY", False),
        ("OPENAI_API_KEY", True),
        ("ANTHROPIC_API_KEY", False),
    }
    assert report.litellm and "190 MiB" in report.describe_package()
    lanes = [deployment.lane for deployment in load(tmp_path / "config.yaml", {}).deployments]
    assert [model.lane for model in report.models] == lanes


def test_each_key_is_graded_and_what_is_lost_is_said_at_its_line(tmp_path: Path) -> None:
    report = checked(tmp_path, CONFIG, COMPLETE)
    graded = {(s.name, s.grade): s.lines for s in report.settings}
    assert graded == {
        ("litellm_params.api_base", Grade.EXACT): (5,),
        ("litellm_params.api_key", Grade.EXACT): (6, 10),
        ("litellm_params.api_version", Grade.EXACT): (7,),
        ("litellm_params.tags", Grade.UNSUPPORTED): (8,),
        ("litellm_params.model", Grade.EXACT): (4, 10, 13),
        ("litellm_params.weight", Grade.EXACT): (10,),
        ("litellm_settings.drop_params", Grade.EXACT): (16,),
        ("litellm_settings.success_callback", Grade.UNSUPPORTED): (17,),
        ("model_info.mode", Grade.EXACT): (14,),
        ("model_list[].model_name", Grade.EXACT): (2, 9, 11),
        ("router_settings.model_group_alias", Grade.EXACT): (18,),
        ("router_settings.routing_strategy", Grade.EXACT): (18,),
        ("general_settings.master_key", Grade.EXACT): (19,),
        ("environment_variables", Grade.EXACT): (20,),
    }
    assert [(line, place) for line, place, _ in said(report, Severity.WARNING)] == [
        (8, "model_list[0].litellm_params.tags"),
        (17, "litellm_settings.success_callback"),
    ]
    assert not report.failed() and report.failed(strict=True)


def test_what_is_said_of_many_lines_is_said_once(tmp_path: Path) -> None:
    entries = [
        {
            "model_name": f"m{n}",
            "litellm_params": {"model": "openai/x", "api_key": "os.environ/K", "tags": ["a"]},
        }
        for n in range(9)
    ]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"model_list": entries}, sort_keys=True))
    report = check(path, {"K": "x"})
    (finding,) = report.findings
    assert (finding.place, finding.line, len(finding.more)) == ("litellm_params.tags", 5, 8)
    assert "warning: lines 5, 11, 17 and 6 more, litellm_params.tags: unsupported:" in render.as_text(report)
    assert render.explain(finding).endswith("(also on lines 11, 17, 23 and 5 more)")
    (tags,) = [setting for setting in report.settings if setting.name == "litellm_params.tags"]
    assert (tags.count, len(tags.lines)) == (9, 9)


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        ({"guardrails": [{"guardrail_name": "a"}]}, "guardrails"),
        ({"general_settings": {"custom_auth": "my.auth"}}, "general_settings.custom_auth"),
        ({"general_settings": {"enable_jwt_auth": True}}, "general_settings.enable_jwt_auth"),
        ({"general_settings": {"allowed_ips": ["10.0.0.1"]}}, "general_settings.allowed_ips"),
        ({"litellm_settings": {"max_budget": 10}}, "litellm_settings.max_budget"),
        ({"litellm_settings": {"callbacks": ["prometheus", "presidio"]}}, "litellm_settings.callbacks"),
    ],
)
def test_what_protects_is_an_error_until_its_loss_is_acknowledged(
    tmp_path: Path, rest: dict[str, Any], name: str
) -> None:
    document = json.loads(one_model(model="openai/x", api_key="os.environ/K")) | rest
    ((_, place, message),) = said(checked(tmp_path, json.dumps(document), {"K": "x"}), Severity.ERROR)
    assert place == name and f"add {name} to pennyworth_settings.acknowledged" in message
    document["pennyworth_settings"] = {"acknowledged": [name]}
    report = checked(tmp_path, json.dumps(document), {"K": "x"})
    assert not report.failed()
    assert name in [place for _, place, message in said(report, Severity.NOTE) if "(acknowledged)" in message]


def test_what_protects_and_is_off_is_no_loss(tmp_path: Path) -> None:
    off = {"guardrails": [], "general_settings": {"custom_auth": None, "enable_jwt_auth": False}}
    document = json.loads(one_model(model="openai/x", api_key="os.environ/K")) | off
    assert checked(tmp_path, json.dumps(document), {"K": "x"}).findings == ()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"acknowledged": ["guardrails"]}, "'guardrails' is no key of this file that protects anything"),
        ({"acknowledged": "guardrails"}, "a list of keys is expected"),
        ({"acknowledge": []}, "Did you mean acknowledged?"),
        ("guardrails", "a mapping is expected"),
    ],
)
def test_an_acknowledgment_that_is_none_is_told(tmp_path: Path, section: object, message: str) -> None:
    document = json.loads(one_model(model="openai/x", api_key="os.environ/K")) | {
        "pennyworth_settings": section
    }
    found(checked(tmp_path, json.dumps(document), {"K": "x"}), message)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"general_settings": {"num_retries": 2}}, "It belongs into litellm_settings"),
        ({"guardrail": [1]}, "Did you mean guardrails?"),
        ({"router_settings": {"routing_stratgy": "x"}}, "Did you mean routing_strategy?"),
        ({"litellm_settings": {"credential_lists": [1]}}, "Did you mean credential_list?"),
    ],
)
def test_a_key_that_litellm_does_not_know_is_told_where_it_may_belong(
    tmp_path: Path, rest: dict[str, Any], message: str
) -> None:
    document = json.loads(one_model(model="openai/x", api_key="os.environ/K")) | rest
    assert found(checked(tmp_path, json.dumps(document), {"K": "x"}), message)[0] is Severity.WARNING


@pytest.mark.parametrize(
    ("params", "info", "message"),
    [
        ({"model": "openai/tts-1"}, {}, "models for audio speech (/v1/audio/speech)"),
        ({"model": "openai/x"}, {"mode": "realtime"}, "models for realtime (/v1/realtime)"),
        ({"model": "cohere/rerank-v3.5"}, {}, "models for rerank"),
        ({"model": "openai/x"}, {"mode": "telepathy"}, "models for telepathy. Remove it"),
    ],
)
def test_a_model_that_no_endpoint_serves_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    params: dict[str, Any],
    info: dict[str, Any],
    message: str,
) -> None:
    chat = [endpoint for endpoint in ENDPOINTS if endpoint.path == "/chat/completions"]
    monkeypatch.setattr("pennyworth.checks.config.modes.ENDPOINTS", chat)
    entry = {"model_name": "m", "litellm_params": {"api_key": "os.environ/K", **params}, "model_info": info}
    report = checked(tmp_path, json.dumps({"model_list": [entry]}), {"K": "x"})
    assert found(report, message)[0] is Severity.WARNING


@pytest.mark.parametrize("params", [{"model": "openai/gpt-4o"}, {"model": "openai/text-embedding-3-small"}])
def test_a_model_that_an_endpoint_serves_is_not(tmp_path: Path, params: dict[str, Any]) -> None:
    assert checked(tmp_path, one_model(api_key="os.environ/K", **params), {"K": "x"}).findings == ()


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"kind": "ConfigMap", "data": {"config.yaml": ""}}, "`pennyworth config import`"),
        ({"proxy_config": {"model_list": []}}, "`pennyworth config import`"),
        ({"general_settings": {"store_model_in_db": True}}, "LiteLLM has them in its database"),
    ],
)
def test_a_file_without_models_is_told_why_litellm_takes_it(
    tmp_path: Path, rest: dict[str, Any], message: str
) -> None:
    ((_, place, text),) = said(checked(tmp_path, json.dumps(rest)), Severity.ERROR)
    assert place == "model_list" and message in text


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"model": "auto_router/complexity_router", "complexity_router_config": {}},
            "no model chooses among others",
        ),
        ({"model": "mine/x"}, "'mine' is Python code of yours"),
    ],
)
def test_an_entry_that_can_never_answer_is_an_error(
    tmp_path: Path, document: dict[str, Any], message: str
) -> None:
    own = {"litellm_settings": {"custom_provider_map": [{"provider": "mine", "custom_handler": "a.b"}]}}
    text = json.dumps(json.loads(one_model(**document)) | own)
    assert message in said(checked(tmp_path, text), Severity.ERROR)[0][2]


def test_a_file_with_nothing_wrong_has_no_findings(tmp_path: Path) -> None:
    report = checked(tmp_path, one_model(model="openai/gpt-4o", api_key="os.environ/K"), {"K": "x"})
    assert report.findings == ()
    assert not report.litellm and "4 MiB" in report.describe_package()
    assert not report.failed(strict=True)


def test_everything_that_the_gateway_refuses_is_named_at_once(tmp_path: Path) -> None:
    text = """\
model_list:
  - model_name: a
    litellm_params: {model: openai/x, timeout: soon}
  - litellm_params: {model: openai/x}
  - model_name: c
    litellm_params: {model: unheard-of}
  - model_name: d
    litellm_params: {model: openai/x}
    model_info:
      lane: fast
  - model_name: e
    litellm_params: {model: openai/x, api_key: os.environ/K}
litellm_settings:
  request_timeout: -1
router_settings: []
general_settings: [no]
"""
    report = checked(tmp_path, text, {"K": "x"})
    assert [(line, place) for line, place, _ in said(report, Severity.ERROR)] == [
        (3, "model_list[0].litellm_params.timeout"),
        (4, "model_list[1].model_name"),
        (6, "model_list[2].litellm_params.model"),
        (10, "model_list[3].model_info.lane"),
        (14, "litellm_settings.request_timeout"),
        (16, "general_settings"),
    ]
    assert [model.name for model in report.models] == ["e"]
    assert report.failed()


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ({"model": "openai/x", "api_base": "x.example/v1"}, "api_base", "must begin with https"),
        ({"model": "openai/x", "api_base": "http://x:${PORT}/v1"}, "api_base", "Write os.environ/NAME"),
        ({"model": "openai/x", "api_base": "https://x/v1?api-version=1"}, "api_base", "has a query"),
        ({"model": "anthropic/x", "api_base": "x.example"}, "api_base", "must begin with https"),
        ({"model": "openai/x", "extra_headers": "X-A: 1"}, "extra_headers", "must be a mapping"),
        ({"model": "openai/x", "extra_body": "x"}, "extra_body", "must be a mapping"),
        ({"model": "openai/x", "api_key": "os.environ/BROKEN"}, "api_key", "white space or a line break"),
    ],
)
def test_what_no_request_can_carry_is_an_error_at_its_place(
    tmp_path: Path, given: dict[str, Any], place: str, message: str
) -> None:
    document = {"model_list": [{"model_name": "m", "litellm_params": {"api_key": "os.environ/K", **given}}]}
    report = checked(tmp_path, json.dumps(document), {"K": "x", "BROKEN": "sk-SECRET\nsecond"})
    ((_, at, text),) = said(report, Severity.ERROR)
    assert at == f"model_list[0].litellm_params.{place}"
    assert message in text and "SECRET" not in text


def test_what_is_no_address_is_told_and_not_stumbled_over(tmp_path: Path) -> None:
    text = "model_list: [{model_name: m, litellm_params: {model: openai/x, api_base: 'http://[::1/v1'}}]\n"
    ((_, place, said_),) = said(checked(tmp_path, text, {}), Severity.ERROR)
    assert place.endswith("api_base") and "is no address" in said_


@pytest.mark.parametrize("key", ["sk-1234", "sk-1234567890", "your-master-key", "weakest"])
def test_a_weak_key_is_an_error(tmp_path: Path, key: str) -> None:
    text = "model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: os.environ/K}}]\n"
    text += f"general_settings: {{master_key: {key}}}\n"
    report = checked(tmp_path, text, {"K": "x"})
    assert [place for _, place, _ in said(report, Severity.ERROR)] == ["general_settings.master_key"]


def test_the_check_and_the_gateway_read_alike(tmp_path: Path) -> None:
    given = "{model: azure/d, api_version: 2024-10-21, api_key: os.environ/K, api_base: https://x/y?a=1}"
    text = f"model_list: [{{model_name: m, litellm_params: {given}}}]"
    report = checked(tmp_path, text, {"K": "x"})
    assert not said(report, Severity.ERROR)
    assert report.models[0].lane == "direct"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("model_list:\n  - a: [\n", 3, "not valid YAML"),
        ("model_list:\n\t- a\n", 2, "not valid YAML"),
        ("model_list: []\n", 1, "at least one model"),
        ("- a\n", None, "a mapping with model_list"),
        ("", None, "a mapping with model_list"),
        ("litellm_settings: {}\n", 1, "at least one model"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error(
    tmp_path: Path, text: str, line: int | None, message: str
) -> None:
    report = checked(tmp_path, text)
    (finding,) = report.findings
    assert (finding.severity, finding.line) == (Severity.ERROR, line)
    assert message in finding.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (finding,) = check(tmp_path / "none.yaml", {}).findings
    assert "No such file" in finding.message


def test_keys_that_stand_twice_and_keys_merged_in(tmp_path: Path) -> None:
    text = """\
defaults: &defaults {model: openai/a, api_key: os.environ/K, timeout: soon}
model_list:
  - model_name: m
    litellm_params:
      <<: *defaults
      model: openai/b
      model: openai/c
"""
    report = checked(tmp_path, text, {"K": "x"})
    assert found(report, "is also set on line 6") == (Severity.WARNING, 7)
    assert found(report, "a number is expected") == (Severity.ERROR, 1)


@pytest.mark.parametrize(
    ("params", "severity", "message"),
    [
        ({"model": "opnai/x"}, Severity.ERROR, "Did you mean 'openai'?"),
        ({"model": "azure/"}, Severity.WARNING, "Write azure/MODEL"),
        ({"model": "a-server-of-mine/x"}, Severity.ERROR, "use openai/MODEL and set its api_base"),
        ({"model": "openai/*"}, Severity.ERROR, "Use a * in both"),
        ({"model": "hosted_vllm/x"}, Severity.WARNING, "HOSTED_VLLM_API_BASE is not set"),
        ({"model": "ollama/x"}, Severity.WARNING, "localhost is the machine"),
        (
            {"model": "openai/x", "api_base": "http://127.0.0.1:1/v1"},
            Severity.WARNING,
            "127.0.0.1 is the machine",
        ),
        ({"model": "openai/x", "api_bse": "https://e.com"}, Severity.WARNING, "Did you mean api_base?"),
        ({"model": "sagemaker/x"}, Severity.WARNING, "may not call sagemaker"),
        ({"model": "bedrock/x", "aws_role_name": "y"}, Severity.WARNING, "may not assume another"),
        ({"model": "vertex_ai/x"}, Severity.WARNING, "VERTEXAI_PROJECT"),
        ({"model": "gemini/x"}, Severity.WARNING, "GEMINI_API_KEY"),
        ({"model": "anthropic/x", "max_parallel_requests": 3}, Severity.WARNING, "requests are not limited"),
        (
            {"model": "bedrock/x", "aws_access_key_id": "os.environ/AWS_ACCESS_KEY_ID"},
            Severity.WARNING,
            "Set the stack parameter BedrockAccess to yes",
        ),
        ({"model": "vertex_ai/x", "vertex_credentials": "/etc/key.json"}, Severity.WARNING, "names a file"),
        ({"model": "anthropic/claude-sonet-4-5"}, Severity.NOTE, "Did you mean 'claude-sonnet-4-5'?"),
    ],
)
def test_a_model_that_will_not_work_as_it_stands(
    tmp_path: Path, params: dict[str, Any], severity: Severity, message: str
) -> None:
    assert found(checked(tmp_path, one_model(**params)), message) == (severity, 1)


@pytest.mark.parametrize("provider", [*PROVIDERS, "anthropic", "bedrock", "veniceai", "cohere_chat"])
def test_no_known_provider_is_called_unknown(tmp_path: Path, provider: str) -> None:
    report = checked(tmp_path, one_model(model=f"{provider}/x", api_base="https://example.com"))
    assert not said(report, Severity.ERROR)


def test_a_provider_of_ones_own_may_be_forced_to_the_direct_lane(tmp_path: Path) -> None:
    entry = {
        "model_name": "m",
        "litellm_params": {"model": "mine/x", "api_base": "https://e.com/v1"},
        "model_info": {"lane": "direct"},
    }
    report = checked(tmp_path, json.dumps({"model_list": [entry]}))
    assert report.findings == ()
    assert report.models[0].reason == "model_info.lane sets it"


def test_names_that_are_shared_repeated_hidden_or_lead_nowhere(tmp_path: Path) -> None:
    text = """\
model_list:
  - {model_name: a, litellm_params: {model: groq/x, api_key: os.environ/K}}
  - {model_name: a, litellm_params: {model: groq/y, api_key: os.environ/K}}
  - {model_name: a, litellm_params: {model: groq/x, api_key: os.environ/K}}
  - {model_name: "b-*-*", litellm_params: {model: "groq/*", api_key: os.environ/K}}
router_settings:
  model_group_alias:
    a: b-x
    c: nowhere
    d: a
    "e*": a
"""
    report = checked(tmp_path, text, {"K": "x"})
    assert found(report, "each request goes to one of these") == (Severity.NOTE, 3)
    assert found(report, "with the same parameters") == (Severity.WARNING, 4)
    assert found(report, "no model name matches it") == (Severity.WARNING, 5)
    assert found(report, "hides the model") == (Severity.WARNING, 8)
    assert found(report, "no model 'nowhere'") == (Severity.ERROR, 9)
    assert found(report, "aliases have no wildcards") == (Severity.WARNING, 11)


def test_missing_variables_are_named_once_each_with_where_to_set_them(tmp_path: Path) -> None:
    entries = [{"model_name": n, "litellm_params": {"model": f"groq/{n}"}} for n in ("a", "b", "c")]
    (finding,) = checked(tmp_path, json.dumps({"model_list": entries})).findings
    assert finding.message == (
        "GROQ_API_KEY is not set; needed by the model 'a' for its provider's key (and 2 more)."
        " Set it in PROVIDER_CREDENTIALS, one NAME=value per line, or with `pennyworth credentials set`"
    )
    master = {"model_list": entries, "general_settings": {"master_key": "os.environ/MASTER"}}
    report = checked(tmp_path, json.dumps(master), {"GROQ_API_KEY": "x"})
    assert found(report, "MASTER is not set") == (Severity.WARNING, 1)
    given = master | {"environment_variables": {"MASTER": "os.environ/AWS_REGION"}}
    assert checked(tmp_path, json.dumps(given), {"GROQ_API_KEY": "x"}).findings == ()


@pytest.mark.parametrize(
    "hidden",
    [
        {"litellm_params": {"api_key": "a-secret-of-mine"}},
        {"litellm_params": {"extra_headers": {"authorization": "a-secret-of-mine"}}},
        {"litellm_params": {"aws_secret_access_key": "a-secret-of-mine"}},
        {"litellm_params": {"api_base": "https://user:a-secret-of-mine@example.com"}},
        {"litellm_params": {"user": "sk-a-secret-of-mine-1234"}},
        {"general_settings": {"master_key": "a-secret-of-mine"}},
        {"environment_variables": {"OPENAI_API_KEY": "a-secret-of-mine"}},
    ],
    ids=lambda hidden: ".".join((*hidden, *next(iter(hidden.values())))),
)
def test_a_secret_in_the_file_is_pointed_at_and_never_repeated(
    tmp_path: Path, hidden: dict[str, Any]
) -> None:
    params = {"model": "groq/x", "api_key": "os.environ/K", **hidden.get("litellm_params", {})}
    rest = {name: value for name, value in hidden.items() if name != "litellm_params"}
    entry = {"model_name": "m", "litellm_params": params}
    report = checked(tmp_path, json.dumps({"model_list": [entry], **rest}), {"K": "x"})
    assert found(report, "a secret in plain text")[0] is Severity.WARNING
    for form in (render.as_text, render.as_json, render.as_markdown):
        assert "a-secret-of-mine" not in form(report)


@pytest.mark.parametrize(
    "params",
    [
        {"api_key": "none"},
        {"api_key": "not-needed"},
        {"api_key": "my-fake-key"},
        {"api_key": "anything-goes"},
        {"api_key": "<your-azure-api-key>"},
        {"aws_web_identity_token": "oidc/example-provider/"},
        {"credential_name": "default_azure_credential"},
        {"max_tokens": "100000"},
        {"prompt_cache_key": "of-all-users"},
        {"api_key": "os.environ/SOME_KEY"},
    ],
)
def test_what_only_sounds_like_a_secret_is_none(tmp_path: Path, params: dict[str, Any]) -> None:
    report = checked(tmp_path, one_model(model="groq/x", **params))
    assert not [finding for finding in report.findings if "a secret in plain text" in finding.message]


def test_where_not_all_variables_are_known_none_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    assert "is not set" in render.as_text(check(path, {})) and "(not set)" in render.as_text(check(path, {}))
    report = check(path, {}, complete=False)
    assert "not set" not in render.as_text(report)
    assert report.findings  # the others stay
    assert all(need.met for model in report.models for need in model.needs)


def test_values_of_variables_are_never_shown(tmp_path: Path) -> None:
    report = checked(tmp_path, CONFIG, COMPLETE)
    for form in (render.as_text, render.as_json, render.as_markdown):
        shown = form(report)
        assert not [value for value in COMPLETE.values() if value in shown]


@pytest.mark.parametrize(
    ("stack", "environ", "asked"),
    [
        (StackSettings(), {}, True),
        (StackSettings({"BedrockAccess": "no"}), {}, True),
        (StackSettings({"BedrockAccess": "automatic", "ModelProvider": "openai"}), {}, True),
        (StackSettings({"BedrockAccess": "automatic", "ModelProvider": "bedrock"}), {}, False),
        (StackSettings({"BedrockAccess": "yes"}), {}, False),
        (StackSettings(), {"AWS_BEARER_TOKEN_BEDROCK": "x"}, False),
    ],
)
def test_bedrock_asks_for_its_stack_parameter(
    tmp_path: Path, stack: StackSettings, environ: dict[str, str], asked: bool
) -> None:
    report = checked(tmp_path, one_model(model="bedrock/converse/anthropic.claude"), environ, stack)
    assert any("BedrockAccess" in finding.message for finding in report.findings) is asked
    assert report.parameters == ({} if environ else {"BedrockAccess": "yes"})


def test_what_litellm_needs_of_the_stack(tmp_path: Path) -> None:
    text = one_model(model="anthropic/claude", api_key="os.environ/K")

    def with_stack(litellm: str = "", **parameters: str) -> Report:
        return checked(tmp_path, text, {"K": "x"}, StackSettings(parameters, litellm))

    assert found(with_stack(PythonRuntime="python3.11"), "does not run on")[0] is Severity.ERROR
    assert found(with_stack(MemorySize="256"), "512 MiB")[0] is Severity.WARNING
    assert found(with_stack(litellm="no"), "LITELLM_LANE is no")[0] is Severity.WARNING
    assert not with_stack(litellm="no").litellm
    fine = with_stack(PythonRuntime="python3.13", MemorySize="512", litellm="auto")
    assert fine.findings == () and fine.litellm


def test_without_a_file_the_provider_is_checked(tmp_path: Path) -> None:
    assert found(check(None, {}), "OPENAI_API_KEY is not set") == (Severity.WARNING, None)
    report = check(None, {"ANTHROPIC_API_KEY": "x"}, StackSettings({"ModelProvider": "anthropic"}))
    assert report.findings == () and report.litellm
    unknown = check(None, {}, StackSettings({"ModelProvider": "antropic"}))
    assert found(unknown, "Did you mean 'anthropic'?")[0] is Severity.ERROR


def test_the_list_of_providers_is_that_of_the_locked_litellm() -> None:
    (litellm,) = environment("litellm").parent.glob("lib/python*/site-packages/litellm")
    fresh = {name: tuple(variables) for name, variables in catalogue.read_providers(litellm).items()}
    assert fresh == catalogue.list_key_variables(), f"make it anew: {catalogue.__doc__}"
    assert fresh["anthropic"] == ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")


def test_the_modes_are_those_of_the_locked_litellm() -> None:
    (litellm,) = environment("litellm").parent.glob("lib/python*/site-packages/litellm")
    assert all(catalogue.find_mode("", name) == mode for name, mode in catalogue.read_modes(litellm).items())


def run(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", **environ}
    command = [sys.executable, "-m", "pennyworth.cli", "config", "check", *map(str, words)]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=120)


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    credentials = tmp_path / "credentials.env"
    credentials.write_text("".join(f"{name}={value}\n" for name, value in COMPLETE.items()))
    done = run(path, "--credentials", credentials)
    assert done.returncode == 0, done.stderr
    assert f"{path}: 3 models, with LiteLLM" in done.stdout
    assert (
        "warning: line 8, model_list[0].litellm_params.tags: unsupported: tags choose no entry" in done.stdout
    )
    assert "not set" not in done.stdout
    assert run(path, "--credentials", credentials, "--strict").returncode == 1
    document = json.loads(run(path, "--json", OPENAI_API_KEY="x").stdout)
    assert (document["errors"], document["models"][1]["needs"][0]["met"]) == (0, True)
    assert run(path, "--markdown", OPENAI_API_KEY="x").stdout.count("\n| ⚠️ |") == document["warnings"]
    path.write_text(one_model(model="opnai/x"))
    assert run(path).returncode == 1
    assert run(path, "--credentials", tmp_path / "none").returncode == 2


def test_credentials_that_can_not_be_read_are_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(one_model(model="openai/m"))
    credentials, canary = tmp_path / "credentials.env", "canary-0123456789"
    credentials.write_text(
        f"\ufeffOPENAI_API_KEY='{canary}\n'\n{canary}\nAWS_REGION={canary}\nB={canary}{{{{\nC={canary * 300}\n"
    )
    said = [
        ("PROVIDER_CREDENTIALS, line 3", "expected NAME=value"),
        ("PROVIDER_CREDENTIALS, line 4", "AWS_REGION is reserved: the function has its own"),
        ("PROVIDER_CREDENTIALS, line 5", "the value contains {{, which the Parameter Store refuses"),
        (
            "PROVIDER_CREDENTIALS, line 6",
            "the value has 5100 bytes. The Parameter Store takes at most 4096 (4 KB)",
        ),
    ]
    for option in ("--json", "--markdown", "--strict"):
        done = run(path, "--credentials", credentials, option)
        assert done.returncode == 1
        assert canary not in done.stdout + done.stderr
        assert all(message in done.stdout for _, message in said)
        if option == "--json":
            findings = json.loads(done.stdout)["findings"]
            assert [(one["place"], one["message"]) for one in findings if one["severity"] == "error"] == said
    path.write_text("model_list: {")
    assert "PROVIDER_CREDENTIALS, line 3" in run(path, "--credentials", credentials).stdout
    credentials.write_bytes(canary.encode() + b"\xff")
    done = run(path, "--credentials", credentials)
    assert done.returncode == 2 and canary not in done.stdout + done.stderr
