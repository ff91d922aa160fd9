"""LiteLLM's config.yaml as users have it: what becomes of each entry, and what is said of those that make no sense."""

from pathlib import Path
from typing import Any

import pytest

from pennyworth.gateway.config import Config, ConfigError, Deployment, find, load, parse
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.settings import expand_credentials
from pennyworth.gateway.upstreams import resolve_upstream

# what LiteLLM's own documentation shows its users
CONFIG = """
model_list:
  - model_name: gpt-4o                      # a name of the user's choice
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: os.environ/AZURE_API_BASE
      api_key: "os.environ/AZURE_API_KEY"
      api_version: "2024-10-21"
      rpm: 6
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o, api_key: os.environ/OPENAI_API_KEY, weight: 3}
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      extra_headers: {anthropic-beta: x, authorization: os.environ/BETA_TOKEN}
  - model_name: "groq/*"
    litellm_params: {model: "groq/*", api_key: os.environ/GROQ_API_KEY}
  - model_name: "*"
    litellm_params: {model: "*"}
litellm_settings: {drop_params: true, request_timeout: 30, success_callback: [langfuse]}
router_settings: {model_group_alias: {gpt-4: gpt-4o, old: {model: claude, hidden: true}}, routing_strategy: x}
general_settings: {master_key: os.environ/MASTER, database_url: x}
environment_variables: {REGION: eu, COPIED: os.environ/OPENAI_API_KEY}
"""

ENVIRON = {
    "AZURE_API_BASE": "https://x.openai.azure.com",
    "AZURE_API_KEY": "azure-key",
    "OPENAI_API_KEY": "openai-key",
    "BETA_TOKEN": "beta-token",
    "MASTER": "sk-master",
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return load(path, ENVIRON)


def test_entries(config: Config) -> None:
    azure, openai, claude, groq, anything = config.deployments
    assert (azure.provider, azure.model, azure.lane) == ("azure", "gpt-4o-eu", "direct")
    assert azure.params["api_key"] == "azure-key"
    assert (openai.provider, openai.model, openai.lane) == ("openai", "gpt-4o", "direct")
    assert (claude.provider, claude.model, claude.lane) == ("anthropic", "claude-sonnet-4-5", "litellm")
    assert claude.params["extra_headers"]["authorization"] == "beta-token"
    assert (groq.lane, groq.missing) == ("direct", ("GROQ_API_KEY",))
    assert anything.provider == ""


def test_settings(config: Config) -> None:
    assert (config.timeouts.request, config.drop_params, config.keys) == (30, True, ("sk-master",))
    assert config.aliases == {"gpt-4": "gpt-4o", "old": "claude"}
    assert config.environment == {"REGION": "eu", "COPIED": "openai-key"}
    assert config.needs_litellm()


def test_only_variables_of_what_is_read_are_missed() -> None:
    entry = {"model_name": "m", "litellm_params": {"model": "openai/x"}}
    read = {"general_settings": {"master_key": "os.environ/MASTER"}}
    unread = {"router_settings": {"redis_password": "os.environ/REDIS"}}
    assert parse({"model_list": [entry], **read, **unread}, {}).unset == ("MASTER",)


@pytest.mark.parametrize(
    ("written", "meant"),
    [(True, True), ("true", True), ("False", False), ("off", False), (None, False), ([], False)],
)
def test_a_flag_may_be_text(written: object, meant: bool) -> None:
    entry = {"model_name": "m", "litellm_params": {"model": "openai/x", "drop_params": written}}
    config = parse({"model_list": [entry], "litellm_settings": {"drop_params": written}}, {})
    assert config.drop_params is meant
    assert resolve_upstream(config.deployments[0], {"OPENAI_API_KEY": "x"}).choices.drop is meant


@pytest.mark.parametrize(
    ("asked", "provider", "model", "lane"),
    [
        ("claude", "anthropic", "claude-sonnet-4-5", "litellm"),
        ("old", "anthropic", "claude-sonnet-4-5", "litellm"),
        ("groq/llama-3.3-70b", "groq", "llama-3.3-70b", "direct"),
        ("mistral/small", "mistral", "small", "direct"),
        ("anthropic/claude-x", "anthropic", "claude-x", "litellm"),
        ("openrouter/meta/llama", "openrouter", "meta/llama", "direct"),
        ("claude-x", "anthropic", "claude-x", "litellm"),
    ],
)
def test_a_name_leads_to_a_deployment(
    config: Config, asked: str, provider: str, model: str, lane: str
) -> None:
    (found,) = config.resolve(asked)
    assert (found.provider, found.model, found.lane) == (provider, model, lane)


def test_a_name_may_lead_to_several_deployments(config: Config) -> None:
    assert [found.provider for found in config.resolve("gpt-4")] == ["azure", "openai"]


@pytest.mark.parametrize("asked", ["nonsense", "groq/", ""])
def test_a_name_that_leads_nowhere(config: Config, asked: str) -> None:
    with pytest.raises(ApiError) as caught:
        config.resolve(asked)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("params", "lane"),
    [
        (
            {"model": "azure/x", "api_base": "https://x.openai.azure.com", "api_version": "2024-10-21"},
            "direct",
        ),
        ({"model": "azure/x", "api_base": "https://x.openai.azure.com"}, "direct"),
        ({"model": "azure/x", "api_base": "https://x.openai.azure.com", "tenant_id": "t"}, "litellm"),
        ({"model": "azure/o_series/x", "api_base": "https://x.openai.azure.com"}, "litellm"),
        (
            {"model": "azure/x", "api_base": "https://gateway.ai.cloudflare.com/v1/a/b/azure-openai"},
            "litellm",
        ),
        ({"model": "azure_ai/DeepSeek-R1", "api_base": "https://x.services.ai.azure.com"}, "direct"),
        ({"model": "azure_ai/claude-x", "api_base": "https://x.services.ai.azure.com"}, "litellm"),
        ({"model": "azure/x", "api_base": "https://x.openai.azure.com", "api_version": "v1"}, "direct"),
        ({"model": "azure/x", "api_base": "https://x.openai.azure.com/openai/v1/"}, "direct"),
        ({"model": "bedrock/anthropic.claude-x"}, "litellm"),
        ({"model": "anthropic/claude-x"}, "litellm"),
        ({"model": "gemini/gemini-x"}, "direct"),
        ({"model": "gemini/gemini-x", "api_base": "https://proxy.example/v1beta"}, "litellm"),
        ({"model": "gemini/gemini-x", "safety_settings": [{}]}, "litellm"),
        ({"model": "cohere/command-a"}, "direct"),
        ({"model": "cohere/command-a", "api_base": "https://api.cohere.ai/v2/chat"}, "litellm"),
        ({"model": "ollama/llama3"}, "direct"),
        ({"model": "x", "custom_llm_provider": "hosted_vllm"}, "direct"),
    ],
)
def test_the_lane_follows_from_the_provider(params: dict[str, Any], lane: str) -> None:
    assert only({"litellm_params": params}).lane == lane


@pytest.mark.parametrize("lane", ["direct", "litellm"])
@pytest.mark.parametrize("model", ["openai/x", "anthropic/x"])
def test_the_lane_may_be_forced(model: str, lane: str) -> None:
    assert only({"litellm_params": {"model": model}, "model_info": {"lane": lane}}).lane == lane


def test_secrets_are_known_wherever_they_stand() -> None:
    deployment = only(
        {
            "litellm_params": {
                "model": "bedrock/x",
                "api_key": "sk-secret",
                "aws_secret_access_key": "aws-secret",
                "extra_headers": {"Authorization": "Bearer hidden"},
                "vertex_credentials": {"private_id": "vertex-secret"},
                "api_base": "https://public.example",
                "region_name": "eu-west-1",
            }
        }
    )
    assert set(deployment.secrets()) == {"sk-secret", "aws-secret", "Bearer hidden", "vertex-secret"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a mapping with model_list"),
        ("- a", "a mapping with model_list"),
        ("model_list: [", "not valid YAML"),
        ("model_list: []", "at least one model"),
        ("model_list: {a: b}", "at least one model"),
        ("model_list: [x]", r"model_list\[0\]: a mapping"),
        ("model_list: [{litellm_params: {model: openai/x}}]", r"model_list\[0\].model_name"),
        ("model_list: [{model_name: a}]", r"model_list\[0\] \(a\): litellm_params.model"),
        (
            "model_list: [{model_name: a, litellm_params: {model: llama}}]",
            "names no provider. Write provider/model",
        ),
        (
            "model_list: [{model_name: a, litellm_params: {model: openai/x}, model_info: {lane: fast}}]",
            "either direct or litellm, not 'fast'",
        ),
        (
            "model_list: [{model_name: a, litellm_params: {model: openai/x}}]\nlitellm_settings: [x]",
            "litellm_settings",
        ),
        (
            "model_list: [{model_name: a, litellm_params: {model: openai/x}}]\n"
            "litellm_settings: {request_timeout: soon}",
            "request_timeout: a number is expected",
        ),
        (
            "model_list: [{model_name: a, litellm_params: {model: openai/x}}]\n"
            "router_settings: {model_group_alias: {b: {hidden: true}}}",
            r"router_settings\.model_group_alias\.b: a model's name",
        ),
    ],
)
def test_what_makes_no_sense_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        problems = load(path, {}).problems
        raise problems[0]  # where something else can be served


@pytest.mark.parametrize("name", ["timeout", "stream_timeout"])
@pytest.mark.parametrize("value", ["soon", 0, -1, [], float("nan")])
def test_a_number_is_a_number_above_zero(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"\(m\): litellm_params\.{name}: a number"):
        only({"litellm_params": {"model": "openai/x", name: value}})
    assert only({"litellm_params": {"model": "openai/x", name: "2.5"}}).params[name] == 2.5


@pytest.mark.parametrize("value", ["heavy", -1])
def test_a_weight_is_none_or_more(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"litellm_params\.weight: a number"):
        only({"litellm_params": {"model": "openai/x", "weight": value}})


def wildcard(name: str, model: str, lane: str | None = None) -> Config:
    entry = {"model_name": name, "litellm_params": {"model": model}, "model_info": {"lane": lane}}
    return parse({"model_list": [entry]}, {})


@pytest.mark.parametrize(
    ("name", "model", "asked", "upstream"),
    [
        ("*", "openai/*", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("*", "hosted_vllm/*", "hosted_vllm/x", "hosted_vllm/x"),
        ("groq/*", "groq/*", "groq/groq/compound", "groq/compound"),
        ("groq/*", "groq/*", "groq/llama", "llama"),
        ("openrouter/*", "openrouter/*", "openrouter/openrouter/auto", "openrouter/auto"),
        ("own/*", "openai/team/*", "own/a/b", "team/a/b"),
        ("*", "*", "openai/gpt-oss-120b", "gpt-oss-120b"),
        ("gemini/*", "gemini/*", "gemini/gemini-2.5-flash", "gemini-2.5-flash"),
        ("bedrock/*", "bedrock/*", "bedrock/eu.anthropic.claude-v1:0", "eu.anthropic.claude-v1:0"),
        ("vertex_ai/*", "vertex_ai/*", "vertex_ai/meta/llama-3", "meta/llama-3"),
    ],
)
def test_what_stands_in_a_wildcards_place_reaches_the_upstream_whole(
    name: str, model: str, asked: str, upstream: str
) -> None:
    assert wildcard(name, model).resolve(asked)[0].model == upstream


@pytest.mark.parametrize(
    ("provider", "asked", "upstream"),
    [
        ("openai", "openai/gpt-5", "gpt-5"),
        ("openai", "gpt-5", "gpt-5"),
        ("anthropic", "anthropic/claude-x", "claude-x"),
        ("openrouter", "openrouter/auto", "openrouter/auto"),
        ("groq", "groq/compound", "groq/compound"),
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
    ],
)
def test_names_for_a_provider_of_the_environments(provider: str, asked: str, upstream: str) -> None:
    assert load(None, {"LITELLM_MODEL_PROVIDER": provider}).resolve(asked)[0].model == upstream


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("gemini/*", "ok/../../../cachedContents"),
        ("gemini/*", "tunedModels/x"),
        ("azure/*", "../../../evil?"),
        ("azure/*", "x/../y"),
        ("azure/*", "x?api-version=1"),
        ("azure/*", "x#y"),
        ("azure/*", "x%2F..%2Fy"),
        ("bedrock/*", "us-west-2/anthropic.claude-v1"),
        ("bedrock/*", "agent/A/B"),
        ("vertex_ai/*", "a/../b"),
        ("vertex_ai/*", "./a"),
        ("cohere/*", ".."),
        ("cohere/*", "a b"),
        ("cohere/*", "a\\b"),
        ("cohere/*", "a\n"),
        ("*", "oobabooga/http://127.0.0.1:1"),
        ("*", "replicate/https://evil.example/x"),
        ("*", "replicate/https:/evil.example"),
        ("*", "replicate//evil"),
        ("*", "vertex_ai/../x"),
    ],
)
def test_no_name_of_a_callers_leads_to_another_host_or_path(model: str, asked: str) -> None:
    lane = "litellm" if model.startswith(("gemini", "cohere")) else None
    with pytest.raises(ApiError) as refused:
        wildcard("*", model, lane).resolve(asked)
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")


def test_what_the_operator_names_may_have_any_path() -> None:
    assert wildcard("mine", "gemini/tunedModels/x").resolve("mine")[0].model == "tunedModels/x"


def test_an_objection_carries_the_place_it_is_about() -> None:
    params = {"model": "openai/x", "timeout": "soon"}
    entries = [{"model_name": "a", "litellm_params": {"model": "openai/x"}}, {"model_name": "b"}]
    (problem,) = parse({"model_list": [entries[0], entries[1] | {"litellm_params": params}]}, {}).problems
    assert problem.path == ("model_list", 1, "litellm_params", "timeout")
    (problem,) = parse({"model_list": entries, "router_settings": []}, {}).problems
    assert problem.path == ("model_list", 1, "litellm_params", "model")


def test_one_bad_entry_is_skipped_and_the_others_serve() -> None:
    config = parse(
        {
            "model_list": [
                {"model_name": "bad", "litellm_params": {"model": "openai/x", "timeout": "soon"}},
                {"model_name": "bad/*", "litellm_params": {"model": "unheard-of"}},
                {"model_name": "both", "litellm_params": {"model": "unheard-of"}},
                {"model_name": "both", "litellm_params": {"model": "openai/x"}},
                "nonsense",
            ],
            "router_settings": "nonsense",
        },
        {},
    )
    assert [(each.name, each.index) for each in config.deployments] == [("both", 3)]
    assert len(config.problems) == 5
    assert config.resolve("both")
    for name, status in (("bad", 500), ("bad/model", 500), ("bad/", 404), ("", 404), ("None", 404)):
        with pytest.raises(ApiError) as refused:
            config.resolve(name)
        assert refused.value.status == status
    with pytest.raises(ConfigError, match="timeout"):
        parse({"model_list": [config_entry(model="openai/x", timeout="soon")]}, {})


def config_entry(name: str = "m", **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": params}


def test_an_unset_variable_counts_only_where_it_is_needed() -> None:
    entry = config_entry(
        model="openai/x",
        api_key="os.environ/KEY",
        organization="os.environ/ORGANIZATION",
        timeout="os.environ/TIMEOUT",
        max_tokens="os.environ/MOST",
        prompt_cache_key="os.environ/CACHE",
        extra_headers={"X-Trace": "os.environ/TRACE", "Authorization": "os.environ/AUTH", "X-Fixed": "a"},
    )
    config = parse({"model_list": [entry]}, {})
    (deployment,) = config.deployments
    assert deployment.missing == ("KEY", "AUTH") == config.unset
    assert deployment.params == {"extra_headers": {"X-Fixed": "a"}}
    set_ = parse({"model_list": [entry]}, {"KEY": "k", "AUTH": "a", "TIMEOUT": "7"}).deployments[0]
    assert (set_.missing, set_.params["timeout"], set_.params["api_key"]) == ((), 7.0, "k")
    assert parse({"model_list": [config_entry(model="openai/x", api_base="os.environ/BASE")]}, {}).unset == (
        "BASE",
    )


def test_a_model_may_stand_in_a_variable() -> None:
    document = {"model_list": [config_entry(model="os.environ/MODEL", api_key="k")]}
    (deployment,) = parse(document, {"MODEL": "anthropic/claude"}).deployments
    assert (deployment.provider, deployment.model, deployment.lane) == ("anthropic", "claude", "litellm")
    (unset,) = parse(document, {}).deployments
    assert unset.missing == ("MODEL",)


@pytest.mark.parametrize("value", [True, ["k"], {"a": "k"}])
def test_a_key_is_text(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"api_key: text is expected$"):
        parse({"model_list": [config_entry(model="openai/x", api_key=value)]}, {})
    document = {"model_list": [config_entry(model="openai/x")], "general_settings": {"master_key": value}}
    config = parse(document, {})
    assert config.keys == () and "master_key: text is expected" in str(config.problems[0])


def test_what_is_pasted_with_a_line_break_is_taken_without() -> None:
    entry = config_entry(model="openai/x", api_key="os.environ/KEY", api_base=" https://x.example/v1 \n")
    params = parse({"model_list": [entry]}, {"KEY": "sk-1\n"}).deployments[0].params
    assert (params["api_key"], params["api_base"]) == ("sk-1", "https://x.example/v1")


def test_a_hidden_alias_is_known_and_hidden() -> None:
    aliases = {
        "shown": "m",
        "secret": {"model": "m", "hidden": True},
        "open": {"model": "m", "hidden": False},
    }
    document = {
        "model_list": [config_entry(model="openai/x")],
        "router_settings": {"model_group_alias": aliases},
    }
    config = parse(document, {})
    assert config.hidden == {"secret"}
    assert set(config.aliases) == {"shown", "secret", "open"}


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("text-embedding-3-small", "openai"),
        ("whisper-1", "openai"),
        ("text-embedding-005", "vertex_ai"),
        ("jamba-large-1.7", "ai21_chat"),
        ("writer.palmyra-x5-v1:0", "bedrock"),
        ("zai.glm-5", "bedrock"),
        ("ft:gpt-4o-mini:org::id", "openai"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "bedrock"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "bedrock"),
        ("amazon.nova-pro-v1:0", "bedrock"),
        ("embed-english-v3.0", "cohere"),
        ("claude-sonnet-4-5", "anthropic"),
    ],
)
def test_a_well_known_name_needs_no_provider(model: str, provider: str) -> None:
    (deployment,) = parse({"model_list": [config_entry(model=model)]}, {}).deployments
    assert (deployment.provider, deployment.model) == (provider, model)


def test_a_provider_alone_is_enough_where_the_address_has_the_model() -> None:
    entries = [config_entry(model="azure/"), {"model_name": "*", "litellm_params": {"model": "*"}}]
    config = parse({"model_list": entries}, {})
    assert not config.problems
    assert (config.deployments[0].provider, config.deployments[0].model) == ("azure", "")
    with pytest.raises(ApiError):
        config.resolve("openai/")


def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"model_list: [\xff]")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(path, {})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: No such file"):
        load(tmp_path / "missing.yaml", {})


def test_without_a_file_and_a_provider_the_message_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="LITELLM_MODEL_PROVIDER"):
        load(None, {})


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find({}) is None
    (tmp_path / "config.yaml").touch()
    assert find({}) == Path("config.yaml")
    (tmp_path / "config.json").touch()
    assert find({"LAMBDA_TASK_ROOT": str(tmp_path)}) == tmp_path / "config.json"
    assert find({"PENNYWORTH_CONFIG": "elsewhere.yaml"}) == Path("elsewhere.yaml")


def test_credentials_in_one_variable_are_spread() -> None:
    environ = {
        "A": "kept",
        "PROVIDER_CREDENTIALS": "A=lost\n# no\n\nexport B='two words'\nC=x=y\nbroken\nD=\"q\"\n",
    }
    expand_credentials(environ)
    assert environ == {"A": "kept", "B": "two words", "C": "x=y", "D": "q"}


def only(entry: dict[str, Any]) -> Deployment:
    return parse({"model_list": [{"model_name": "m", **entry}]}, {}).deployments[0]
