"""The providers that speak OpenAI's chat completions themselves: addresses, credentials and edits, a row each.

A request for one of these goes out as it came in, or edited as its row says. Every other provider is LiteLLM's.

Addresses, variables, renames, roles and flattening are those of LiteLLM 1.110.2 (November 2026), as it sends them;
tests/gateway/direct compares each row with the locked version. What an upstream refuses is from the vendors' own pages
and clients of the same month. LiteLLM's refusals are in no row: they are often older than the upstream.
"""

import re
from collections.abc import Mapping
from typing import Any

from pennyworth.gateway.provider import Edit, Provider

HARMLESS = frozenset(
    [
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
        "stream_options",
        "user",
    ]
)
"""Fields that change nothing of an answer's content: left out wherever a provider refuses them."""

_TO_MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
_TO_MAX_COMPLETION_TOKENS = {"max_tokens": "max_completion_tokens"}
_EVERY_ROLE = frozenset(["assistant", "developer", "function", "system", "tool", "user"])
_TOOL_RESULTS = frozenset(["tool"])
_THOUGHTS = frozenset(["cache_control", "provider_specific_fields", "reasoning_content", "thinking_blocks"])
_STRICT = frozenset(["strict"])
_NO_METERING = frozenset(["stream_options"])

_ROLES = Edit(roles={"developer": "system"})
_COMMON = _ROLES._replace(message_drop=frozenset(["cache_control"]))
_RENAMED = _COMMON._replace(rename=_TO_MAX_TOKENS)

# https://console.groq.com/docs/openai
_GROQ = _RENAMED._replace(
    lacks=frozenset(
        [
            "logit_bias",
            "logprobs",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "top_logprobs",
        ]
    ),
    message_drop=_THOUGHTS | {"name"},
)
# refuses whatever it does not know, in messages, too; the list is that of its own client, mistralai 3.7.0
_MISTRAL = _RENAMED._replace(
    rename={**_TO_MAX_TOKENS, "seed": "random_seed"},
    values={"tool_choice": {"required": "any"}},
    takes=frozenset(
        [
            "frequency_penalty",
            "guardrails",
            "logprobs",
            "max_tokens",
            "messages",
            "metadata",
            "min_tokens",
            "model",
            "n",
            "parallel_tool_calls",
            "prediction",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_logprobs",
            "prompt_mode",
            "random_seed",
            "reasoning_effort",
            "repetition_penalty",
            "response_format",
            "safe_prompt",
            "service_tier",
            "stop",
            "stream",
            "temperature",
            "tool_choice",
            "tools",
            "top_k",
            "top_logprobs",
            "top_p",
            "top_prompt_logprobs",
        ]
    ),
    flatten=_EVERY_ROLE,
    message_drop=_THOUGHTS | {"name"},
)
# "property 'body.X' is unsupported"; its client, cerebras_cloud_sdk 1.91.0, knows the rest
_CEREBRAS = _RENAMED._replace(
    lacks=frozenset(
        [
            "audio",
            "function_call",
            "functions",
            "metadata",
            "modalities",
            "reasoning",
            "safety_identifier",
            "store",
            "thinking",
            "verbosity",
            "web_search_options",
        ]
    ),
    message_drop=frozenset(["cache_control", "reasoning_content"]),
)
# "Extra inputs are not permitted"
_FIREWORKS = _RENAMED._replace(
    values={"tool_choice": {"required": "any"}},
    lacks=frozenset(
        [
            "audio",
            "modalities",
            "prompt_cache_retention",
            "safety_identifier",
            "store",
            "verbosity",
            "web_search_options",
        ]
    ),
    tool_drop=_STRICT,
)
# "Unknown name": https://ai.google.dev/gemini-api/docs/openai
_GEMINI = Edit(
    takes=frozenset(
        [
            "extra_body",
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "modalities",
            "model",
            "n",
            "parallel_tool_calls",
            "reasoning_effort",
            "response_format",
            "service_tier",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_p",
        ]
    ),
    message_drop=frozenset(["cache_control"]),
)
# https://platform.openai.com/docs/guides/reasoning. From GPT-5.1 on, what shapes the sampling depends on the effort
_OPENAI_REASONING = Edit(rename=_TO_MAX_COMPLETION_TOKENS)
_OPENAI_FIRST_REASONING = _OPENAI_REASONING._replace(
    lacks=frozenset(
        [
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "presence_penalty",
            "temperature",
            "top_logprobs",
            "top_p",
        ]
    )
)
_REASONING_MODELS = (
    (r"(?:^|/)(?:o[134](?:-|$)|gpt-5(?![.\d]))(?!-chat)", _OPENAI_FIRST_REASONING),
    (r"(?:^|/)(?:gpt-[5-9]|codex-mini)", _OPENAI_REASONING),
)
_SNOWFLAKE_KEYS = {
    "pat/": ("X-Snowflake-Authorization-Token-Type", "PROGRAMMATIC_ACCESS_TOKEN"),
    "": ("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT"),
}
_ENTRA = frozenset(
    [
        "azure_ad_token",
        "azure_ad_token_provider",
        "azure_password",
        "azure_scope",
        "azure_username",
        "base_model",
        "client_id",
        "client_secret",
        "tenant_id",
    ]
)

# https://docs.aws.amazon.com/bedrock/latest/userguide/models-api-compatibility.html
_BEDROCK = _COMMON._replace(rename=_TO_MAX_COMPLETION_TOKENS, lacks=frozenset(["n"]))
_BEDROCK_GPT = _BEDROCK._replace(lacks=frozenset(["n", "stop"]))
_BEDROCK_GPT_OSS = _BEDROCK._replace(lacks=frozenset(["logit_bias", "n"]))
_BEDROCK_GROK = _BEDROCK._replace(lacks=frozenset(["frequency_penalty", "n", "presence_penalty", "stop"]))
_BEDROCK_MODELS = (
    (r"(?:^|[./])openai\.gpt-oss", _BEDROCK_GPT_OSS),
    (r"(?:^|[./])openai\.gpt-", _BEDROCK_GPT),
    (r"(?:^|[./])xai\.", _BEDROCK_GROK),
)
_BEDROCK_REGION = r"(?:(?:[a-z]+-)+\d/)"
_BEDROCK_DIRECT = (
    r"deepseek\.v3\.2",
    r"google\.gemma-3-",
    r"minimax\.minimax-m2",
    r"mistral\.(?:devstral|magistral|ministral|mistral-large-3|voxtral)-",
    r"moonshot(?:ai)?\.kimi-k[23]",
    r"nvidia\.nemotron-",
    r"qwen\.qwen3-(?:32b|coder-30b|coder-next|next)",
    r"zai\.glm-(?:4\.7|5)",
)
# The others have no OpenAI-compatible API there, or lose something by it: GPT takes function tools only without
# reasoning, gpt-oss writes its reasoning into the answer, and Grok calls its tools call_0 in every turn.
_BEDROCK_TRANSLATED = (
    rf"^(?!chat_completions/)(?!{_BEDROCK_REGION}?(?:(?:apac|au|eu|global|in|jp|us|us-gov)\.)?"
    rf"(?:{'|'.join(_BEDROCK_DIRECT)}))"
)
_AWS_TRANSLATED = frozenset(
    [
        "aws_external_id",
        "aws_profile_name",
        "aws_role_name",
        "aws_session_name",
        "aws_sts_endpoint",
        "aws_web_identity_token",
        "guardrailConfig",
        "model_id",
        "performanceConfig",
        "requestMetadata",
        "serviceTier",
    ]
)

_X_API_KEY = ("x-api-key", "")

PROVIDERS: dict[str, Provider] = {
    "abliteration": Provider("https://api.abliteration.ai/v1", ("ABLITERATION_API_KEY",), edit=_COMMON),
    "ai21": Provider(
        "https://api.ai21.com/studio/v1",
        ("AI21_API_KEY",),
        ("AI21_API_BASE",),
        edit=_RENAMED._replace(lacks=_NO_METERING),
    ),
    "ai21_chat": Provider(
        "https://api.ai21.com/studio/v1",
        ("AI21_API_KEY",),
        ("AI21_API_BASE",),
        edit=_RENAMED._replace(lacks=_NO_METERING),
    ),
    "aiand": Provider(
        "https://api.aiand.com/v1",
        ("AIAND_API_KEY",),
        ("AIAND_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "aihubmix": Provider(
        "https://aihubmix.com/v1", ("AIHUBMIX_API_KEY",), ("AIHUBMIX_API_BASE",), edit=_RENAMED
    ),
    "aiml": Provider(
        "https://api.aimlapi.com/v1",
        ("AIML_API_KEY",),
        ("AIML_API_BASE",),
        edit=Edit(rename=_TO_MAX_TOKENS),
        also=("images",),
    ),
    "amazon_nova": Provider(
        "https://api.nova.amazon.com/v1",
        ("AMAZON_NOVA_API_KEY",),
        ("AMAZON_NOVA_API_BASE",),
        edit=_ROLES._replace(rename=_TO_MAX_TOKENS),
    ),
    "anthropic": Provider(
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
        also=("messages", "count_tokens"),
        key_headers={"messages": _X_API_KEY, "count_tokens": _X_API_KEY},
        by_choice=True,
        suffix="/v1",
    ),
    "apertis": Provider(
        "https://api.stima.tech/v1", ("STIMA_API_KEY",), edit=_RENAMED, also=("completions",)
    ),
    "assemblyai": Provider("https://llm-gateway.assemblyai.com/v1", ("ASSEMBLYAI_API_KEY",), edit=_COMMON),
    "azure": Provider(
        None,
        ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
        ("AZURE_API_BASE",),
        edit=_ROLES,
        edits_by_model=_REASONING_MODELS,
        also=("completions", "embeddings", "responses", "images", "transcriptions", "speech"),
        key_header=("api-key", ""),
        elsewhere={"responses": "/openai/v1"},
        translated_models="/",
        translated_parameters=_ENTRA,
        address=r"^(?!.*gateway\.ai\.cloudflare\.com)",
    ),
    "azure_ai": Provider(
        None,
        ("AZURE_AI_API_KEY",),
        ("AZURE_AI_API_BASE",),
        edit=_COMMON._replace(flatten=_EVERY_ROLE, message_drop=_THOUGHTS),
        edits_by_model=_REASONING_MODELS,
        also=("embeddings", "responses"),
        also_models={"messages": "claude"},
        elsewhere={"messages": "/anthropic/v1"},
        key_headers={"messages": _X_API_KEY},
        translated_models="claude|/",
        translated_parameters=_ENTRA,
        address=r"^(?!.*\.openai\.azure\.com)(?!.*/openai/deployments)",
    ),
    "baseten": Provider("https://inference.baseten.co/v1", ("BASETEN_API_KEY",), edit=_RENAMED),
    "bedrock": Provider(
        None,
        ("AWS_BEARER_TOKEN_BEDROCK",),
        ("AWS_BEDROCK_RUNTIME_ENDPOINT",),
        edit=_BEDROCK,
        edits_by_model=_BEDROCK_MODELS,
        also=("messages", "responses"),
        also_models={
            "messages": r"(?:^|[./])anthropic\.",
            "responses": r"(?:^|[./])(?:openai\.gpt-(?!oss)|xai\.)",
        },
        elsewhere={"messages": "/anthropic/v1"},
        service="bedrock",
        translated_models=_BEDROCK_TRANSLATED,
        translated_parameters=_AWS_TRANSLATED,
        directions=rf"^(?:chat_completions/)?{_BEDROCK_REGION}?",
    ),
    "bedrock_mantle": Provider(
        None,
        ("BEDROCK_MANTLE_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"),
        ("BEDROCK_MANTLE_API_BASE",),
        edit=_RENAMED._replace(lacks=frozenset(["n"])),
        edits_by_model=((r"(?:^|/)openai\.gpt-(?!oss)", _BEDROCK),),
        also=("messages", "count_tokens", "responses"),
        also_models={
            "messages": r"(?:^|/)anthropic\.",
            "count_tokens": r"(?:^|/)anthropic\.",
            "responses": r"(?:^|/)(?:openai\.|google\.gemma-4|xai\.)",
        },
        elsewhere={"messages": "/anthropic/v1", "count_tokens": "/anthropic/v1"},
        service="bedrock-mantle",
        translated_models=r"(?:^|/)anthropic\.|\*",
        translated_parameters=_AWS_TRANSLATED,
        directions=rf"^{_BEDROCK_REGION}",
    ),
    "bigmodel": Provider(
        "https://open.bigmodel.cn/api/paas/v4",
        ("BIGMODEL_API_KEY",),
        ("BIGMODEL_API_BASE",),
        edit=_ROLES._replace(rename=_TO_MAX_TOKENS),
        also=("responses",),
        elsewhere={"messages": "https://open.bigmodel.cn/api/anthropic/v1"},
    ),
    "cerebras": Provider(
        "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",), ("CEREBRAS_API_BASE",), edit=_CEREBRAS
    ),
    "charity_engine": Provider(
        "https://api.charityengine.services/remotejobs/v2/inference",
        ("CHARITY_ENGINE_API_KEY",),
        edit=_RENAMED,
    ),
    "chutes": Provider("https://llm.chutes.ai/v1", ("CHUTES_API_KEY",), edit=_RENAMED, also=("completions",)),
    "clf_ai_gateway": Provider(
        "https://api.clfaigateway.dev/v1",
        ("CLF_AI_GATEWAY_API_KEY",),
        ("CLF_AI_GATEWAY_API_BASE",),
        edit=_COMMON,
    ),
    "cloudflare": Provider(
        "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        ("CLOUDFLARE_API_KEY",),
        ("CLOUDFLARE_API_BASE",),
        edit=_COMMON,
        also=("embeddings",),
    ),
    "codestral": Provider(
        "https://codestral.mistral.ai/v1",
        ("CODESTRAL_API_KEY", "MISTRAL_AZURE_API_KEY", "MISTRAL_API_KEY"),
        ("CODESTRAL_API_BASE", "MISTRAL_AZURE_API_BASE"),
        edit=_MISTRAL,
    ),
    "cognition": Provider(
        "https://api.cognition.ai/v1", ("COGNITION_API_KEY",), ("COGNITION_API_BASE",), edit=_COMMON
    ),
    "cohere": Provider(
        "https://api.cohere.ai/compatibility/v1",
        ("COHERE_API_KEY", "CO_API_KEY"),
        edit=_RENAMED,
        also=("embeddings",),
        elsewhere={"rerank": "https://api.cohere.com/v2/rerank"},
        address=r"/compatibility/v1$",
    ),
    "cohere_chat": Provider(
        "https://api.cohere.ai/compatibility/v1",
        ("COHERE_API_KEY", "CO_API_KEY"),
        edit=_RENAMED,
        also=("embeddings",),
        elsewhere={"rerank": "https://api.cohere.com/v2/rerank"},
        address=r"/compatibility/v1$",
    ),
    "cometapi": Provider(
        "https://api.cometapi.com/v1",
        ("COMETAPI_KEY",),
        ("COMETAPI_API_BASE",),
        edit=_COMMON,
        also=("embeddings",),
    ),
    "compactifai": Provider("https://api.compactif.ai/v1", ("COMPACTIFAI_API_KEY",), edit=_COMMON),
    "coralbricks": Provider(
        "https://inference.coralbricks.ai/v1",
        ("CORALBRICKS_API_KEY",),
        ("CORALBRICKS_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "cortecs": Provider(
        "https://api.cortecs.ai/v1",
        ("CORTECS_API_KEY",),
        ("CORTECS_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "crusoe": Provider(
        "https://api.inference.crusoecloud.com/v1", ("CRUSOE_API_KEY",), ("CRUSOE_API_BASE",), edit=_RENAMED
    ),
    "darkbloom": Provider(
        "https://api.darkbloom.dev/v1", ("DARKBLOOM_API_KEY",), ("DARKBLOOM_API_BASE",), edit=_RENAMED
    ),
    "dashscope": Provider(
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        ("DASHSCOPE_API_BASE",),
        edit=_ROLES,
        also=("completions", "embeddings"),
        elsewhere={"messages": "https://dashscope.aliyuncs.com/apps/anthropic/v1"},
    ),
    "databricks": Provider(
        None,
        ("DATABRICKS_API_KEY",),
        ("DATABRICKS_API_BASE",),
        edit=_ROLES._replace(
            rename=_TO_MAX_TOKENS,
            lacks=_NO_METERING,
            flatten=_TOOL_RESULTS | {"system"},
            message_drop=_THOUGHTS,
        ),
        also=("embeddings", "responses"),
        translated_parameters=frozenset(["client_id", "client_secret"]),
    ),
    "datarobot": Provider(
        "https://app.datarobot.com/api/v2/genai/llmgw",
        ("DATAROBOT_API_TOKEN",),
        ("DATAROBOT_ENDPOINT",),
        edit=_RENAMED,
        path="{path}/",
    ),
    "deepinfra": Provider(
        "https://api.deepinfra.com/v1/openai",
        ("DEEPINFRA_API_KEY",),
        ("DEEPINFRA_API_BASE",),
        edit=_RENAMED._replace(flatten=_TOOL_RESULTS),
    ),
    "deepseek": Provider(
        "https://api.deepseek.com/beta",
        ("DEEPSEEK_API_KEY",),
        ("DEEPSEEK_API_BASE",),
        edit=_RENAMED._replace(flatten=_EVERY_ROLE),
        elsewhere={"messages": "https://api.deepseek.com/anthropic/v1"},
    ),
    "edenai": Provider(
        "https://api.edenai.run/v3",
        ("EDENAI_API_KEY",),
        ("EDENAI_API_BASE",),
        edit=_COMMON,
        also=("embeddings", "responses"),
        elsewhere={"messages": "https://api.edenai.run/v3/v1"},
    ),
    "empiriolabs": Provider(
        "https://api.empiriolabs.ai/v1",
        ("EMPIRIOLABS_API_KEY",),
        ("EMPIRIOLABS_API_BASE",),
        edit=_RENAMED,
        also=("embeddings", "responses"),
    ),
    "empower": Provider(
        "https://app.empower.dev/api/v1", ("EMPOWER_API_KEY",), ("EMPOWER_API_BASE",), edit=_RENAMED
    ),
    "featherless_ai": Provider(
        "https://api.featherless.ai/v1",
        ("FEATHERLESS_AI_API_KEY", "FEATHERLESS_API_KEY"),
        ("FEATHERLESS_AI_API_BASE", "FEATHERLESS_API_BASE"),
        edit=_RENAMED,
        also=("completions",),
    ),
    "fireworks_ai": Provider(
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
        ("FIREWORKS_API_BASE",),
        edit=_FIREWORKS,
        model_prefix="accounts/fireworks/models/",
        also=("completions", "embeddings", "responses", "images", "transcriptions", "rerank"),
    ),
    "friendliai": Provider(
        "https://api.friendli.ai/serverless/v1",
        ("FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"),
        ("FRIENDLI_API_BASE",),
        edit=_RENAMED,
    ),
    "galadriel": Provider(
        "https://api.galadriel.com/v1", ("GALADRIEL_API_KEY",), ("GALADRIEL_API_BASE",), edit=_RENAMED
    ),
    "gemini": Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY", "PALM_API_KEY"),
        ("GEMINI_API_BASE",),
        edit=_GEMINI,
        also=("embeddings", "images"),
        suffix="/openai",
        address=r"/openai$",
        translated_parameters=frozenset(["cached_content", "safety_settings"]),
    ),
    "github": Provider(
        "https://models.inference.ai.azure.com",
        ("GITHUB_API_KEY",),
        ("GITHUB_API_BASE",),
        edit=_RENAMED,
        edits_by_model=_REASONING_MODELS,
    ),
    "gmi": Provider("https://api.gmi-serving.com/v1", ("GMI_API_KEY",), edit=_RENAMED),
    "gradient_ai": Provider(
        "https://inference.do-ai.run/v1",
        ("GRADIENT_AI_API_KEY",),
        ("GRADIENT_AI_AGENT_ENDPOINT",),
        edit=_COMMON,
        suffix="/api/v1",
    ),
    "groq": Provider(
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        ("GROQ_API_BASE",),
        edit=_GROQ,
        also=("responses", "transcriptions", "speech"),
    ),
    "helicone": Provider("https://ai-gateway.helicone.ai", ("HELICONE_API_KEY",), edit=_COMMON),
    "heroku": Provider(
        None,
        ("HEROKU_API_KEY",),
        ("HEROKU_API_BASE",),
        edit=_COMMON._replace(flatten=_EVERY_ROLE),
        suffix="/v1",
    ),
    "hostinger_router": Provider(
        "https://router.hostinger.com/v1",
        ("HOSTINGER_ROUTER_API_KEY",),
        ("HOSTINGER_ROUTER_API_BASE",),
        edit=_COMMON,
        also=("embeddings",),
    ),
    "huggingface": Provider(
        "https://router.huggingface.co/v1",
        ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        ("HF_API_BASE", "HUGGINGFACE_API_BASE"),
        edit=_COMMON,
    ),
    "hyperbolic": Provider(
        "https://api.hyperbolic.xyz/v1",
        ("HYPERBOLIC_API_KEY",),
        ("HYPERBOLIC_API_BASE",),
        edit=_RENAMED,
        also=("completions",),
    ),
    "inception": Provider(
        "https://api.inceptionlabs.ai/v1", ("INCEPTION_API_KEY",), ("INCEPTION_API_BASE",), edit=_RENAMED
    ),
    "inferenceapis": Provider(
        "https://api.inferenceapis.com/v1",
        ("INFERENCEAPIS_API_KEY",),
        ("INFERENCEAPIS_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "kyma": Provider("https://kymaapi.com/v1", ("KYMA_API_KEY",), edit=_COMMON),
    "lambda_ai": Provider(
        "https://api.lambda.ai/v1",
        ("LAMBDA_API_KEY",),
        ("LAMBDA_API_BASE",),
        edit=_RENAMED,
        also=("completions",),
    ),
    "libertai": Provider(
        "https://api.libertai.io/v1", ("LIBERTAI_API_KEY",), ("LIBERTAI_API_BASE",), edit=_RENAMED
    ),
    "llamagate": Provider("https://api.llamagate.dev/v1", ("LLAMAGATE_API_KEY",), edit=_RENAMED),
    "maritalk": Provider(
        "https://chat.maritaca.ai/api",
        ("MARITALK_API_KEY",),
        ("MARITALK_API_BASE",),
        edit=_ROLES._replace(rename=_TO_MAX_TOKENS),
    ),
    "meta": Provider(
        "https://api.meta.ai/v1",
        ("META_API_KEY",),
        ("META_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages", "images", "transcriptions"),
    ),
    "meta_llama": Provider(
        "https://api.llama.com/compat/v1",
        ("LLAMA_API_KEY",),
        ("LLAMA_API_BASE",),
        edit=_COMMON,
        also=("completions",),
    ),
    "minimax": Provider(
        "https://api.minimax.io/v1",
        ("MINIMAX_API_KEY",),
        ("MINIMAX_API_BASE",),
        edit=_ROLES,
        also=("responses",),
        elsewhere={"messages": "https://api.minimax.io/anthropic/v1"},
    ),
    "mistral": Provider(
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY", "MISTRAL_AZURE_API_KEY"),
        ("MISTRAL_API_BASE", "MISTRAL_AZURE_API_BASE"),
        edit=_MISTRAL,
        also=("embeddings", "transcriptions", "speech"),
    ),
    "modelscope": Provider(
        "https://api-inference.modelscope.cn/v1",
        ("MODELSCOPE_API_KEY",),
        ("MODELSCOPE_API_BASE",),
        edit=_COMMON._replace(flatten=_EVERY_ROLE),
        also=("completions",),
    ),
    "moonshot": Provider(
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY",),
        ("MOONSHOT_API_BASE",),
        edit=_RENAMED._replace(flatten=_EVERY_ROLE),
        also=("completions", "responses"),
        elsewhere={"messages": "https://api.moonshot.ai/anthropic/v1"},
    ),
    "morph": Provider("https://api.morphllm.com/v1", ("MORPH_API_KEY",), ("MORPH_API_BASE",), edit=_RENAMED),
    "nadir": Provider(
        "https://api.getnadir.com/v1",
        ("NADIR_API_KEY",),
        ("NADIR_API_BASE",),
        edit=_RENAMED._replace(lacks=_NO_METERING),
    ),
    "nano-gpt": Provider(
        "https://nano-gpt.com/api/v1", ("NANOGPT_API_KEY",), edit=_RENAMED, also=("completions",)
    ),
    "nebius": Provider(
        "https://api.studio.nebius.ai/v1",
        ("NEBIUS_API_KEY",),
        ("NEBIUS_API_BASE",),
        edit=_RENAMED,
        also=("completions", "embeddings"),
    ),
    "neosantara": Provider(
        "https://api.neosantara.xyz/v1",
        ("NEOSANTARA_API_KEY",),
        ("NEOSANTARA_API_BASE",),
        edit=_RENAMED,
        also=("responses",),
    ),
    "novita": Provider(
        "https://api.novita.ai/v3/openai", ("NOVITA_API_KEY",), ("NOVITA_API_BASE",), edit=_COMMON
    ),
    "nscale": Provider(
        "https://inference.api.nscale.com/v1",
        ("NSCALE_API_KEY",),
        ("NSCALE_API_BASE",),
        edit=_RENAMED,
        also=("images",),
    ),
    "nvidia_nim": Provider(
        "https://integrate.api.nvidia.com/v1",
        ("NVIDIA_NIM_API_KEY",),
        ("NVIDIA_NIM_API_BASE",),
        edit=_RENAMED,
        also=("embeddings",),
    ),
    "openai": Provider(
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        also=("completions", "embeddings", "responses", "images", "transcriptions", "speech", "moderations"),
        edits_by_model=_REASONING_MODELS,
    ),
    "opencode_go": Provider(
        "https://opencode.ai/inference/go/openai/v1",
        ("OPENCODE_GO_API_KEY", "OPENCODE_API_KEY"),
        ("OPENCODE_GO_API_BASE",),
        edit=_RENAMED,
    ),
    "openinfer": Provider(
        "https://api.openinfer.ai/v1",
        ("OPENINFER_API_KEY",),
        ("OPENINFER_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "openrouter": Provider(
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY", "OR_API_KEY"),
        ("OPENROUTER_API_BASE",),
        edit=_ROLES,
        also=("embeddings", "responses", "messages"),
    ),
    "ovhcloud": Provider(
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        ("OVHCLOUD_API_KEY",),
        ("OVHCLOUD_API_BASE",),
        edit=_COMMON,
        also=("embeddings",),
    ),
    "parasail": Provider(
        "https://api.parasail.io/v1",
        ("PARASAIL_API_KEY",),
        ("PARASAIL_API_BASE",),
        edit=_COMMON,
        also=("responses",),
    ),
    "perplexity": Provider(
        "https://api.perplexity.ai",
        ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
        ("PERPLEXITY_API_BASE",),
        edit=_COMMON._replace(lacks=_NO_METERING),
        also=("embeddings", "responses"),
    ),
    "pinstripes": Provider(
        "https://pinstripes.io/v1",
        ("PINSTRIPES_API_KEY",),
        ("PINSTRIPES_API_BASE",),
        edit=_RENAMED,
        also=("responses",),
    ),
    "poe": Provider(
        "https://api.poe.com/v1",
        ("POE_API_KEY",),
        edit=_RENAMED._replace(lacks=frozenset(["store"])),
        also=("completions",),
    ),
    "prism": Provider(
        "https://api.prisminference.com/v1",
        ("PRISM_API_KEY",),
        ("PRISM_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "publicai": Provider(
        "https://api.publicai.co/v1",
        ("PUBLICAI_API_KEY",),
        ("PUBLICAI_API_BASE",),
        edit=_RENAMED._replace(flatten=_EVERY_ROLE),
        also=("completions",),
    ),
    "qwen_ai_platform": Provider(
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("QWEN_AI_PLATFORM_API_KEY", "DASHSCOPE_API_KEY"),
        ("QWEN_AI_PLATFORM_API_BASE",),
        edit=_ROLES,
        also=("completions", "embeddings"),
    ),
    "qwencloud": Provider(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ("QWENCLOUD_API_KEY", "DASHSCOPE_API_KEY"),
        ("QWENCLOUD_API_BASE",),
        edit=_ROLES,
        also=("completions", "embeddings"),
    ),
    "refuseless": Provider(
        "https://api.refuseless.com/v1", ("REFUSELESS_API_KEY",), edit=_COMMON, also=("responses",)
    ),
    "reka": Provider("https://api.reka.ai/v1", ("REKA_API_KEY",), ("REKA_API_BASE",), edit=_COMMON),
    "sail": Provider(
        "https://api.sailresearch.com/v1",
        ("SAIL_API_KEY",),
        ("SAIL_API_BASE",),
        edit=_COMMON,
        also=("responses", "messages"),
    ),
    "sambanova": Provider(
        "https://api.sambanova.ai/v1",
        ("SAMBANOVA_API_KEY",),
        ("SAMBANOVA_API_BASE",),
        edit=_RENAMED._replace(flatten=_EVERY_ROLE),
        also=("embeddings",),
    ),
    "sarvam": Provider(
        "https://api.sarvam.ai/v1",
        ("SARVAM_API_KEY",),
        edit=_RENAMED,
        key_kinds={"": ("api-subscription-key", "{key}")},
    ),
    "scaleway": Provider(
        "https://api.scaleway.ai/v1", ("SCW_SECRET_KEY",), edit=_COMMON, also=("transcriptions",)
    ),
    "scx-ai": Provider("https://api.scx.ai/v1", ("SCX_API_KEY",), ("SCX_API_BASE",), edit=_RENAMED),
    "snowflake": Provider(
        "https://{SNOWFLAKE_ACCOUNT_ID}.snowflakecomputing.com/api/v2/cortex/v1",
        ("SNOWFLAKE_JWT",),
        edit=_ROLES._replace(rename=_TO_MAX_COMPLETION_TOKENS, lacks=_NO_METERING),
        suffix="/api/v2/cortex/v1",
        key_kinds=_SNOWFLAKE_KEYS,
    ),
    "streamlake": Provider(
        "https://vanchin.streamlake.ai/api/gateway/v1/endpoints",
        ("STREAMLAKE_API_KEY",),
        ("STREAMLAKE_API_BASE",),
        edit=_ROLES._replace(rename=_TO_MAX_COMPLETION_TOKENS),
    ),
    "synthetic": Provider(
        "https://api.synthetic.new/openai/v1", ("SYNTHETIC_API_KEY",), edit=_RENAMED, also=("completions",)
    ),
    "tencent": Provider(
        "https://tokenhub-intl.tencentcloudmaas.com/v1",
        ("TENCENT_API_KEY",),
        ("TENCENT_API_BASE",),
        edit=_COMMON,
        also=("messages", "images"),
    ),
    "tensormesh": Provider(
        "https://serverless.tensormesh.ai/v1",
        ("TENSORMESH_INFERENCE_API_KEY",),
        ("TENSORMESH_SERVERLESS_BASE_URL",),
        edit=_RENAMED,
        also=("completions", "responses"),
    ),
    "together_ai": Provider(
        "https://api.together.ai/v1",
        ("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
        ("TOGETHER_AI_API_BASE",),
        edit=_RENAMED,
        also=("completions", "embeddings", "rerank"),
    ),
    "v0": Provider(
        "https://api.v0.dev/v1",
        ("V0_API_KEY",),
        ("V0_API_BASE",),
        edit=_RENAMED._replace(lacks=_NO_METERING),
        also=("completions",),
    ),
    "veniceai": Provider("https://api.venice.ai/api/v1", ("VENICE_AI_API_KEY",), edit=_RENAMED),
    "vercel_ai_gateway": Provider(
        "https://ai-gateway.vercel.sh/v1",
        ("VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        ("VERCEL_AI_GATEWAY_API_BASE",),
        edit=_COMMON,
        also=("embeddings", "responses", "messages"),
    ),
    "volcengine": Provider(
        "https://ark.cn-beijing.volces.com/api/v3",
        ("VOLCENGINE_API_KEY",),
        ("VOLCENGINE_API_BASE",),
        edit=_RENAMED,
        also=("embeddings", "responses"),
    ),
    "wally": Provider(
        "https://inference.runanywhere.ai/v1", ("WALLY_API_KEY",), ("WALLY_API_BASE",), edit=_COMMON
    ),
    "wandb": Provider(
        "https://api.inference.wandb.ai/v1",
        ("WANDB_API_KEY",),
        ("WANDB_API_BASE",),
        edit=_RENAMED,
        also=("completions", "embeddings"),
    ),
    "xai": Provider(
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        ("XAI_API_BASE",),
        edit=_RENAMED._replace(tool_drop=_STRICT),
        also=("responses", "images"),
    ),
    "xiaomi_mimo": Provider("https://api.xiaomimimo.com/v1", ("XIAOMI_MIMO_API_KEY",), edit=_RENAMED),
    "zai": Provider(
        "https://api.z.ai/api/paas/v4",
        ("ZAI_API_KEY",),
        ("ZAI_API_BASE",),
        edit=_ROLES._replace(rename=_TO_MAX_TOKENS),
        elsewhere={"messages": "https://api.z.ai/api/anthropic/v1"},
    ),
    "zerogpu": Provider(
        "https://api.zerogpu.ai/v1",
        ("ZEROGPU_API_KEY",),
        ("ZEROGPU_API_BASE",),
        edit=_COMMON,
        also=("responses",),
    ),
    # servers of your own
    "custom_openai": Provider(None, ("CUSTOM_OPENAI_API_KEY",), edit=_RENAMED, key_optional=True),
    "docker_model_runner": Provider(
        None,
        ("DOCKER_MODEL_RUNNER_API_KEY",),
        ("DOCKER_MODEL_RUNNER_API_BASE",),
        edit=_RENAMED._replace(flatten=_EVERY_ROLE),
        key_optional=True,
    ),
    "hosted_vllm": Provider(
        None,
        ("HOSTED_VLLM_API_KEY",),
        ("HOSTED_VLLM_API_BASE",),
        edit=_COMMON._replace(tool_drop=_STRICT),
        also=("completions", "embeddings", "responses", "messages"),
        key_optional=True,
    ),
    "litellm_proxy": Provider(
        None,
        ("LITELLM_PROXY_API_KEY",),
        ("LITELLM_PROXY_API_BASE",),
        also=("embeddings", "responses", "messages"),
        key_optional=True,
    ),
    "llamafile": Provider(
        "http://127.0.0.1:8080/v1",
        ("LLAMAFILE_API_KEY",),
        ("LLAMAFILE_API_BASE",),
        edit=_COMMON,
        also=("completions", "embeddings"),
        key_optional=True,
    ),
    "lm_studio": Provider(
        "http://localhost:1234/v1",
        ("LM_STUDIO_API_KEY",),
        ("LM_STUDIO_API_BASE",),
        edit=_COMMON,
        also=("embeddings", "responses", "messages"),
        key_optional=True,
    ),
    "ollama": Provider(
        "http://localhost:11434/v1",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_API_BASE",),
        edit=_RENAMED,
        also=("completions", "embeddings", "responses", "messages"),
        key_optional=True,
        suffix="/v1",
    ),
    "ollama_chat": Provider(
        "http://localhost:11434/v1",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_API_BASE",),
        edit=_RENAMED,
        also=("completions", "embeddings", "responses", "messages"),
        key_optional=True,
        suffix="/v1",
    ),
    "openai_like": Provider(
        None,
        ("OPENAI_LIKE_API_KEY",),
        ("OPENAI_LIKE_API_BASE",),
        also=("embeddings",),
        edit=_RENAMED,
        key_optional=True,
    ),
    "xinference": Provider(
        None, (), edit=Edit(rename=_TO_MAX_TOKENS), also=("embeddings",), key_optional=True
    ),
}

_OPERATIONS = {
    "audio_speech": "speech",
    "audio_transcription": "transcriptions",
    "completion": "completions",
    "embedding": "embeddings",
    "image_generation": "images",
    "moderation": "moderations",
    "rerank": "rerank",
    "responses": "responses",
}
"""What a model is for, by LiteLLM's name of it (`model_info.mode`)."""


def speaks_openai(
    provider: str, model: str, params: Mapping[str, Any], mode: object = None, *, wildcard: bool = False
) -> bool:
    """Whether a deployment's requests need no translation.

    Args:
        provider: its name.
        model: the upstream's name for the model; may hold a `*`.
        params: its litellm_params.
        mode: its model_info.mode.
        wildcard: whether the client has named the model, and so must not decide about the address.
    """
    row = PROVIDERS.get(provider)
    if row is None or row.by_choice or any(params.get(name) for name in row.translated_parameters):
        return False
    if wildcard and row.service:
        return False
    if row.translated_models and re.search(row.translated_models, model):
        return False
    base = str(params.get("api_base") or params.get("base_url") or "").rstrip("/")
    if base and row.address and not re.search(row.address, base):
        return False
    operation = _OPERATIONS.get(str(mode))
    return operation is None or row.key_optional or operation in row.also


SELF_PREFIXED = frozenset(["groq", "openrouter"])
"""Providers with models whose own names begin with the provider's: `openrouter/auto`, `groq/compound`."""

# How LiteLLM's users name a well-known model without its provider.
WELL_KNOWN_PREFIXES = {
    "gpt-": "openai",
    "chat-latest": "openai",
    "chatgpt-": "openai",
    **dict.fromkeys(
        [
            "medlm-",
            "multimodalembedding",
            "text-embedding-0",
            "text-embedding-large-exp-",
            "text-embedding-preview-",
            "text-multilingual-embedding-",
            "text-unicorn",
        ],
        "vertex_ai",
    ),
    "text-embedding-": "openai",
    "omni-moderation-": "openai",
    "text-moderation-": "openai",
    "whisper-": "openai",
    "tts-": "openai",
    "dall-e-": "openai",
    "sora-": "openai",
    "ft:": "openai",
    "computer-use-": "openai",
    "babbage-": "openai",
    "davinci-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude-": "anthropic",
    "gemini-": "vertex_ai",
    "command-": "cohere",
    "c4ai-": "cohere",
    "jamba-": "ai21_chat",
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
            "google.",
            "in.",
            "jp.",
            "meta.",
            "minimax.",
            "mistral.",
            "moonshot.",
            "moonshotai.",
            "nvidia.",
            "openai.",
            "qwen.",
            "stability.",
            "twelvelabs.",
            "us.",
            "us-gov.",
            "writer.",
            "zai.",
        ],
        "bedrock",
    ),
}
