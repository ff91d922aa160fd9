"""What the direct lane sends equals what LiteLLM sends, but for what is listed here with its reason."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from tests.gateway.direct.oracle import FILE, MODELS, REQUESTS, params, request

from pennyworth.gateway.config import Deployment, parse
from pennyworth.gateway.lanes.edits import edit_request
from pennyworth.gateway.provider import Choices
from pennyworth.gateway.providers import PROVIDERS
from pennyworth.gateway.upstreams import resolve_upstream

KEPT = json.loads(FILE.read_text(encoding="utf-8"))
SENT: dict[str, Any] = KEPT["providers"]

ANOTHER_API = {
    "anthropic": "LiteLLM speaks the Messages API",
    "cohere": "LiteLLM speaks /v2/chat, whose streams lose tool calls there",
    "cohere_chat": "as cohere",
    "gemini": "LiteLLM speaks generateContent",
    "huggingface": "LiteLLM asks for the model's mapping first, which the router does not need",
    "ollama": "LiteLLM speaks /api/generate",
    "ollama_chat": "LiteLLM speaks /api/chat",
}

ADDRESSES = {
    "ai21": "LiteLLM sends AI21's key to OpenAI",
    "crusoe": "a later release of LiteLLM has this one",
    "heroku": "LiteLLM puts /v1 behind an address that ends in it",
    "lm_studio": "LiteLLM sends it to OpenAI where no address is given",
}

# Names of LiteLLM's own that it tells providers.
ADVERTISED = frozenset(["http-referer", "request-source", "x-novita-source", "x-pplx-integration", "x-title"])

ALL = frozenset(PROVIDERS)

# Which requests, of which providers, and why.
DIFFERENT: list[tuple[str, frozenset[str], str]] = [
    ("cached_parts", ALL, "this release leaves cache_control in, later ones take it out"),
    (
        "developer",
        frozenset(["litellm_proxy", "openai"]),
        "the role is OpenAI's own, and LiteLLM's proxy maps it itself",
    ),
    (
        "developer",
        frozenset(
            ["abliteration", "aihubmix", "crusoe", "empiriolabs", "gmi", "llamagate", "sarvam", "veniceai"]
        ),
        "later releases of LiteLLM send `system`, which every server knows",
    ),
    (
        "image",
        frozenset(["deepseek", "docker_model_runner", "heroku", "publicai", "sambanova"]),
        "LiteLLM loses the image without a word",
    ),
    ("max_completion_tokens", frozenset(["deepseek", "together_ai"]), "they know max_tokens alone"),
    ("max_completion_tokens", frozenset(["abliteration"]), "later releases of LiteLLM send it as it is"),
    ("name", frozenset(["groq"]), "Groq's documentation says that it refuses it"),
    (
        "prompt_cache_key",
        frozenset(["groq"]),
        "Groq's client does not know it, and it changes no answer",
    ),
    ("reasoning_content", frozenset(["cerebras"]), "Cerebras calls it `reasoning`, and refuses other fields"),
    (
        "reasoning_content",
        frozenset(["groq"]),
        "Groq refuses it; this release of LiteLLM sends it",
    ),
    ("reasoning_effort", ALL, "LiteLLM leaves it out, or makes of it what its table says of the model"),
    ("response_format", frozenset(["bedrock"]), "LiteLLM asks Converse: gpt-oss does not keep to it"),
    ("response_format", frozenset(["groq"]), "LiteLLM makes a tool call of it; Groq has it natively"),
    (
        "safety_identifier",
        frozenset(["groq"]),
        "Groq's client does not know it, and it changes no answer",
    ),
    ("service_tier", frozenset(["sail"]), "LiteLLM makes metadata of it"),
    ("stop", frozenset(["bedrock"]), "LiteLLM asks Converse, where it does not stop hidden reasoning"),
    ("store", frozenset(["poe"]), "Poe refuses it, and it changes no answer"),
    (
        "stream_options",
        frozenset(
            [
                "cerebras",
                "deepinfra",
                "featherless_ai",
                "hyperbolic",
                "morph",
                "nscale",
                "nvidia_nim",
            ]
        ),
        "LiteLLM leaves it out; these tell the usage of a stream only where they are asked",
    ),
    ("stream_options", frozenset(["ai21"]), "LiteLLM takes it for OpenAI here, not as `ai21_chat`"),
    ("top_k", frozenset(["bedrock"]), "LiteLLM asks Converse, which knows it"),
    ("user", ALL, "LiteLLM leaves it out; upstreams know it, or ignore it"),
]


def deployment(provider: str) -> Deployment:
    litellm_params = {"model": f"{provider}/{MODELS.get(provider, 'm')}", **params(provider)}
    entry = {"model_name": "m", "litellm_params": litellm_params, "model_info": {"lane": "direct"}}
    (found,) = parse({"model_list": [entry]}, {}).deployments
    return found


def differences(provider: str) -> Iterator[str]:
    """The requests for which something else is sent."""
    row = PROVIDERS[provider]
    model = MODELS.get(provider, "m")
    for name in REQUESTS:
        changed = SENT[provider]["changed"].get(name, {})
        if isinstance(changed, str):
            continue  # LiteLLM's refusal: the upstream judges
        given = request(provider, name)
        ours = plain({**edit_request(given, row.edit_of(model), Choices()), "model": row.name_model(model)})
        theirs = plain({**given, **changed})
        theirs.pop("usage", None)  # OpenRouter tells it always
        if theirs.get("stream") is False:
            del theirs["stream"]
        if ours != theirs:
            yield name


def plain(value: Any) -> Any:
    """Without nulls, which are absent in JSON's eyes."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_the_kept_answers_are_the_locked_litellm_s() -> None:
    assert KEPT["version"] == version("litellm"), "run tests/gateway/direct/oracle.py"
    assert len(SENT) > 95
    assert SENT.keys() <= PROVIDERS.keys()


@pytest.mark.parametrize("provider", [name for name in SENT if name not in ANOTHER_API])
def test_addresses_and_credentials_are_litellm_s(provider: str) -> None:
    made = resolve_upstream(deployment(provider), {})
    assert not made.problem
    same = made.locate("/chat/completions", MODELS.get(provider, "m")) == SENT[provider]["url"]
    assert same is (provider not in ADDRESSES)
    ours = {name.lower(): value for name, value in made.headers.items()}
    theirs = {name: value for name, value in SENT[provider]["headers"].items() if name not in ADVERTISED}
    assert {name: ours.get(name) for name in theirs} == theirs


@pytest.mark.parametrize("provider", [name for name in SENT if name not in ANOTHER_API])
def test_requests_are_litellm_s(provider: str) -> None:
    allowed = {name for name, providers, _ in DIFFERENT if provider in providers}
    assert set(differences(provider)) - allowed == set()


def test_each_difference_is_there() -> None:
    found = {name: set(differences(name)) for name in SENT if name not in ANOTHER_API}
    for name, providers, _ in DIFFERENT:
        assert any(name in found[provider] for provider in providers if provider in found), name
