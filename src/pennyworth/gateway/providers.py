"""The providers whose own API is OpenAI's: their addresses and credentials, as LiteLLM names them.

A request for one of these goes out as it came in. Every provider that is not in the table is LiteLLM's.
Source of addresses and variable names: https://docs.litellm.ai/docs/providers.
"""

from dataclasses import dataclass

_BEARER = ("Authorization", "Bearer ")


@dataclass(frozen=True, slots=True)
class Provider:
    """How to reach a provider that speaks OpenAI's API."""

    base_url: str | None
    """Where its API lies when neither the configuration nor the environment says; None: they must."""
    key_variables: tuple[str, ...]
    """Environment variables that may hold its key, first match wins."""
    base_variables: tuple[str, ...] = ()
    """Environment variables that may hold its address."""
    key_header: tuple[str, str] = _BEARER
    """Name of the header that carries the key, and what stands before it."""
    key_optional: bool = False
    """A server of one's own often wants no key."""
    base_suffix: str = ""
    """What LiteLLM's users leave out at the end of this provider's address."""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        "https://api.openai.com/v1", ("OPENAI_API_KEY",), ("OPENAI_BASE_URL", "OPENAI_API_BASE")
    ),
    "cerebras": Provider("https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",), ("CEREBRAS_API_BASE",)),
    "deepinfra": Provider(
        "https://api.deepinfra.com/v1/openai", ("DEEPINFRA_API_KEY",), ("DEEPINFRA_API_BASE",)
    ),
    "deepseek": Provider("https://api.deepseek.com/beta", ("DEEPSEEK_API_KEY",), ("DEEPSEEK_API_BASE",)),
    "groq": Provider("https://api.groq.com/openai/v1", ("GROQ_API_KEY",), ("GROQ_API_BASE",)),
    "mistral": Provider("https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), ("MISTRAL_API_BASE",)),
    "moonshot": Provider("https://api.moonshot.ai/v1", ("MOONSHOT_API_KEY",), ("MOONSHOT_API_BASE",)),
    "nvidia_nim": Provider(
        "https://integrate.api.nvidia.com/v1", ("NVIDIA_NIM_API_KEY",), ("NVIDIA_NIM_API_BASE",)
    ),
    "openrouter": Provider(
        "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY", "OR_API_KEY"), ("OPENROUTER_API_BASE",)
    ),
    "sambanova": Provider("https://api.sambanova.ai/v1", ("SAMBANOVA_API_KEY",), ("SAMBANOVA_API_BASE",)),
    "together_ai": Provider(
        "https://api.together.ai/v1",
        ("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
        ("TOGETHER_AI_API_BASE",),
    ),
    "xai": Provider("https://api.x.ai/v1", ("XAI_API_KEY",), ("XAI_API_BASE",)),
    "fireworks_ai": Provider(
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
        ("FIREWORKS_API_BASE",),
    ),
    "litellm_proxy": Provider(
        None, ("LITELLM_PROXY_API_KEY",), ("LITELLM_PROXY_API_BASE",), key_optional=True
    ),
    # servers of one's own
    "hosted_vllm": Provider(None, ("HOSTED_VLLM_API_KEY",), ("HOSTED_VLLM_API_BASE",), key_optional=True),
    "openai_like": Provider(None, ("OPENAI_LIKE_API_KEY",), ("OPENAI_LIKE_API_BASE",), key_optional=True),
    "custom_openai": Provider(None, ("CUSTOM_OPENAI_API_KEY",), (), key_optional=True),
    "lm_studio": Provider(
        "http://localhost:1234/v1", ("LM_STUDIO_API_KEY",), ("LM_STUDIO_API_BASE",), key_optional=True
    ),
    "llamafile": Provider(
        "http://127.0.0.1:8080/v1", ("LLAMAFILE_API_KEY",), ("LLAMAFILE_API_BASE",), key_optional=True
    ),
    "ollama": Provider(
        "http://localhost:11434",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_API_BASE",),
        key_optional=True,
        base_suffix="/v1",
    ),
    "ollama_chat": Provider(
        "http://localhost:11434",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_API_BASE",),
        key_optional=True,
        base_suffix="/v1",
    ),
}

AZURE_V1 = Provider(
    None,
    ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
    ("AZURE_API_BASE",),
    ("api-key", ""),
    base_suffix="/openai/v1",
)
"""Azure's v1 API, which is OpenAI's. Its dated API versions differ in path and are LiteLLM's."""

SELF_PREFIXED = frozenset(["groq", "openrouter"])
"""Providers with models whose own names begin with the provider's: `openrouter/auto`, `groq/compound`."""

# How LiteLLM's users name a well-known model without its provider.
WELL_KNOWN_PREFIXES = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "text-embedding-": "openai",
    "omni-moderation-": "openai",
    "text-moderation-": "openai",
    "whisper-": "openai",
    "tts-": "openai",
    "dall-e-": "openai",
    "sora-": "openai",
    "ft:": "openai",
    "computer-use-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude-": "anthropic",
    "gemini-": "vertex_ai",
    "command-": "cohere",
    "mistral-": "mistral",
    "deepseek-": "deepseek",
    "grok-": "xai",
    "embed-": "cohere",
    "rerank-": "cohere",
    # Bedrock's ids begin with the maker's name, or with where an inference profile runs
    **dict.fromkeys(
        [
            "ai21.",
            "amazon.",
            "anthropic.",
            "apac.",
            "au.",
            "cohere.",
            "deepseek.",
            "eu.",
            "global.",
            "jp.",
            "meta.",
            "mistral.",
            "openai.",
            "qwen.",
            "us.",
            "us-gov.",
        ],
        "bedrock",
    ),
}
