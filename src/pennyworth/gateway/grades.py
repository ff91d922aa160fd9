"""What becomes of each key of a LiteLLM config file here: one table, in which the first row that fits holds.

`serve` tells it at start, `pennyworth config check` and `config import` tell it line by line, and the table of
docs/configuration.md is made of it. The keys are those of https://docs.litellm.ai/docs/proxy/config_settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

SETTINGS = "pennyworth_settings"
"""The one section of a file that is the gateway's own. LiteLLM ignores it."""
ACKNOWLEDGED = "acknowledged"
"""Names, in that section, the keys that protect people and whose loss whoever deploys has accepted."""


class Grade(StrEnum):
    """How much of what a key does with LiteLLM it does here."""

    EXACT = "exact"
    """The same."""
    APPROXIMATE = "approximate"
    """Nearly the same; the row says what differs."""
    MANUAL = "manual"
    """Done in another way here; the row says how."""
    UNSUPPORTED = "unsupported"
    """Nothing; the row says why."""
    HARMLESS = "harmless"
    """Nothing, and nobody misses it."""


class Row(NamedTuple):
    """A row of the table."""

    grade: Grade
    keys: Mapping[str, str]
    """By section ("" is the top of the file, `model_list[]` an entry), names with white space between them.

    `*` stands for any section, or any text in a name. `name=VALUE` is for that value only.
    """
    says: str = ""
    """How it differs, what to do, or why."""
    lane: str = ""
    """The lane whose models it is for; empty: both."""
    protects: bool = False
    """Whether it keeps people, data or money safe, so that losing it must not go unnoticed."""


Place = tuple[str | int, ...]
"""Keys and indices from the top of a file."""


class Key(NamedTuple):
    """A key of a file, or some of its values."""

    place: Place
    section: str
    name: str
    row: Row

    @property
    def path(self) -> str:
        """Its name without numbers, such as `litellm_params.model` or `general_settings.master_key`."""
        return f"{self.section}.{self.name}".removeprefix(".")


_TOP, _ENTRY, _PARAMS, _INFO = "", "model_list[]", "litellm_params", "model_info"
_LITELLM, _ROUTER, _GENERAL = "litellm_settings", "router_settings", "general_settings"

_NO_BUDGETS = "spend is not counted, so no budget stops anybody: set limits at your provider"
_NO_CACHE = "answers are not cached"
_NO_GUARDRAILS = (
    "nothing looks at requests or answers here: use your provider's own guardrails, such as Bedrock's"
)
_NO_LIMITS = "requests are not limited by key, user or model: set limits at your provider"
_NO_LOGGERS = "no callback runs: the log has a line for each request, and CloudWatch has metrics of them"
_NO_MODEL_ROUTER = "no model chooses among others here, so such an entry can't answer: name a model"
_NO_PRICES = "prices are not used: the log has tokens, not money"
_NO_PRODUCT = "is no part of this gateway, which answers for models and nothing else"
_NO_ROLES = "every API key opens every model: keys belong to no user, team or role"

_OF_PROVIDERS = (
    "aws_* azure_* vertex_* anthropic_* openai_identity_* openai_service_account_id region_name watsonx_region_name"
    " tenant_id client_id client_secret data_residency bedrock_tags"
)
"""Parameters that only some providers know."""

SDK_SETTINGS = frozenset(
    [
        "add_function_to_prompt",
        "anthropic_prompt_caching_ttl",
        "bedrock_neutralize_orphaned_tool_blocks",
        "bedrock_request_metadata_fields",
        "custom_prompt_dict",
        "disable_add_prefix_to_prompt",
        "disable_add_transform_inline_image_block",
        "disable_anthropic_gemini_context_caching_transform",
        "disable_copilot_system_to_assistant",
        "disable_stop_sequence_limit",
        "enable_anthropic_prompt_caching",
        "enable_azure_ad_token_refresh",
        "enable_gemini_default_thinking_level_low",
        "enable_json_schema_validation",
        "google_batch_embeddings",
        "max_tokens",
        "modify_params",
        "openai_system_messages_first",
        "reasoning_auto_summary",
        "vertex_ai_safety_settings",
        "vertex_location",
        "vertex_project",
    ]
)
"""What of litellm_settings the LiteLLM lane hands to the SDK."""

ROWS: tuple[Row, ...] = (
    # what a model is
    Row(
        Grade.EXACT,
        {
            _TOP: f"model_list environment_variables {_LITELLM} {_ROUTER} {_GENERAL} {SETTINGS}",
            _ENTRY: "model_name litellm_params model_info",
            SETTINGS: ACKNOWLEDGED,
        },
    ),
    Row(
        Grade.EXACT,
        {
            _PARAMS: "model api_key api_base base_url api_version organization custom_llm_provider extra_headers"
            " extra_body"
        },
    ),
    Row(
        Grade.EXACT,
        {_PARAMS: "drop_params additional_drop_params allowed_openai_params", _LITELLM: "drop_params"},
        "leaves out what an upstream is known to refuse",
    ),
    Row(Grade.EXACT, {_INFO: "lane listed"}, "chooses the lane; hides the model from GET /v1/models"),
    Row(
        Grade.EXACT,
        {_INFO: "mode"},
        "chooses the lane; `config check` tells which models have no endpoint here",
    ),
    Row(Grade.EXACT, {_ROUTER: "model_group_alias"}),
    Row(Grade.EXACT, {_GENERAL: "master_key"}, "one more API key"),
    Row(
        Grade.MANUAL,
        {_LITELLM: "master_key"},
        "write it into `general_settings`, where LiteLLM reads it, too",
    ),
    # which of a name's entries answers
    Row(Grade.EXACT, {_ROUTER: "routing_strategy=simple-shuffle", _PARAMS: "order weight"}),
    Row(
        Grade.APPROXIMATE,
        {_ROUTER: "routing_strategy"},
        "requests are shared at random, by `weight`, `rpm` or `tpm`: processes on Lambda share no counts",
    ),
    Row(
        Grade.APPROXIMATE,
        {_PARAMS: "rpm tpm"},
        "the entry's share of its name's requests, not a limit",
    ),
    Row(
        Grade.EXACT,
        {
            _LITELLM: "request_timeout",
            _ROUTER: "timeout stream_timeout",
            _PARAMS: "timeout stream_timeout request_timeout",
        },
        "the longest silence, and of an answer that is no stream the whole. 600 seconds where none is set",
    ),
    Row(Grade.EXACT, {_GENERAL: "max_stream_duration", _INFO: "max_stream_duration"}, "ends a whole stream"),
    Row(
        Grade.APPROXIMATE,
        {_ROUTER: "num_retries", _LITELLM: "num_retries", _PARAMS: "num_retries"},
        "0 where none is set, not 2, and what may have been paid is not sent again",
    ),
    Row(
        Grade.APPROXIMATE,
        {
            _ROUTER: "fallbacks default_fallbacks context_window_fallbacks content_policy_fallbacks max_fallbacks",
            _LITELLM: "fallbacks default_fallbacks context_window_fallbacks content_policy_fallbacks",
        },
        "what may have been paid, such as a request that timed out, is not sent again",
    ),
    Row(
        Grade.APPROXIMATE,
        {
            _ROUTER: "cooldown_time allowed_fails allowed_fails_policy",
            _LITELLM: "cooldown_time allowed_fails",
            _PARAMS: "cooldown_time",
            _INFO: "cooldown_time allowed_fails allowed_fails_policy",
        },
        "an entry that fails too often comes last for a while, instead of not at all. Each process counts for itself",
    ),
    Row(Grade.EXACT, {_ROUTER: "disable_cooldowns retry_after"}),
    Row(
        Grade.APPROXIMATE,
        {_ROUTER: "retry_policy model_group_retry_policy"},
        "what may have been paid, such as a request that timed out, is not sent again",
    ),
    Row(
        Grade.MANUAL,
        {_LITELLM: "retry", _PARAMS: "retry_policy"},
        "write `retry_policy` or `model_group_retry_policy` into `router_settings`",
    ),
    Row(
        Grade.APPROXIMATE,
        {_ROUTER: "enable_pre_call_checks"},
        "nothing counts a request's tokens: one that an entry refuses as too long is tried on the next",
    ),
    Row(Grade.APPROXIMATE, {_PARAMS: "max_retries"}, "counts as `num_retries` where that is not set"),
    Row(Grade.MANUAL, {_LITELLM: "num_retries_per_request"}, "write `num_retries`"),
    Row(
        Grade.MANUAL,
        {
            _PARAMS: "fallbacks max_fallbacks",
            _LITELLM: "max_fallbacks model_fallbacks longer_context_model_fallback_dict",
        },
        "write it into `router_settings`, as its documentation has it",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _ROUTER: "optional_pre_call_checks enable_weighted_failover"
            " model_group_affinity_config deployment_affinity_ttl_seconds routing_strategy_args routing_groups"
            " router_general_settings default_priority polling_interval client_ttl ignore_invalid_deployments"
            " model_list plugins fallback_*_check",
            _PARAMS: "provider_affinity_header allowed_model_region *_by_service_tier",
            _LITELLM: "enable_loadbalancing_on_batch_endpoints",
        },
        "entries are chosen by order, share and failures alone",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _PARAMS: "tags tag_regex",
            "*": "enable_tag_filtering",
            _ROUTER: "tag_filtering_match_any tag_routing_prefix",
        },
        "tags choose no entry: all entries of a name share its requests",
    ),
    Row(
        Grade.MANUAL,
        {_LITELLM: "model_alias_map", _PARAMS: "model_alias_map"},
        "write the names into `router_settings.model_group_alias`",
    ),
    Row(Grade.MANUAL, {_ROUTER: "default_litellm_params"}, "write them into each entry's `litellm_params`"),
    Row(Grade.EXACT, {_TOP: "include credential_list", _PARAMS: "litellm_credential_name"}),
    Row(
        Grade.MANUAL,
        {_LITELLM: "credential_list enable_model_config_*"},
        "write `credential_list` at the top of the file",
    ),
    Row(Grade.MANUAL, {_TOP: "proxy_config"}, "`pennyworth config import` takes the configuration out of it"),
    Row(
        Grade.UNSUPPORTED,
        {
            _PARAMS: "adaptive_router_* complexity_router_* auto_router_* quality_router_*",
            _ROUTER: "auto_router_capability_limit",
            _INFO: "adaptive_router_preferences internal_router_model",
            _LITELLM: "autorouter_presets_url",
        },
        _NO_MODEL_ROUTER,
    ),
    Row(
        Grade.UNSUPPORTED,
        {_PARAMS: "silent_model"},
        "no second model gets a copy of the requests",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "forward_llm_provider_auth_headers",
            _LITELLM: "forward_traceparent_to_llm_provider add_user_information_to_llm_headers",
        },
        "no such header goes to the provider. `extra_headers` are sent with every request",
    ),
    Row(
        Grade.APPROXIMATE,
        {_GENERAL: "forward_client_headers_to_llm_api", _LITELLM: "model_group_settings"},
        "headers of proxies, of AWS and for LiteLLM itself stay here (`x-forwarded-*`, `x-amz*`, `x-litellm-*` ...)",
    ),
    Row(Grade.EXACT, {_GENERAL: "forward_openai_org_id"}, "for models of OpenAI's"),
    # what protects people, data and money
    Row(
        Grade.UNSUPPORTED,
        {
            _TOP: "guardrails policies policy_attachments",
            _PARAMS: "guardrails",
            _ROUTER: "guardrail_list",
            _LITELLM: "guardrails guardrail_name_config_map azure_content_safety_params prompt_injection_params"
            " pre_call_rules post_call_rules banned_keywords_list presidio_* output_parse_pii llamaguard_*"
            " llm_guard_mode google_moderation_confidence_threshold openai_moderations_model_name"
            " skip_*_message_in_guardrail callbacks=aporia_prompt_injection callbacks=azure_content_safety"
            " callbacks=banned_keywords callbacks=blocked_user_check callbacks=detect_prompt_injection"
            " callbacks=google_text_moderation callbacks=hide_secrets callbacks=lakera_prompt_injection"
            " callbacks=llamaguard_moderations callbacks=llmguard_moderations callbacks=openai_moderations"
            " callbacks=presidio",
        },
        _NO_GUARDRAILS,
        protects=True,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "custom_auth custom_auth_* enable_jwt_auth litellm_jwtauth enable_oauth2_auth"
            " enable_oauth2_proxy_auth oauth2_config_mappings"
        },
        "only API keys open the gateway: make one for each caller (`pennyworth credentials create-key`)",
        protects=True,
    ),
    Row(
        Grade.UNSUPPORTED,
        {_GENERAL: "allowed_ips use_x_forwarded_for trusted_proxy_ranges"},
        "callers from every address are answered: put AWS WAF in front of the API",
        protects=True,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "role_permissions enforce_rbac allowed_routes admin_only_routes public_routes"
            " service_account_settings enforce_fallback_model_access",
            _LITELLM: "blocked_user_list",
        },
        _NO_ROLES,
        protects=True,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "enforce_user_param enforced_params reject_clientside_metadata_tags",
            _LITELLM: "validate_end_user_id_in_db block_requests_for_models_without_pricing",
        },
        "no request is refused for a field that it has or lacks",
        protects=True,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _LITELLM: "max_budget max_*_budget max_end_user_budget_id default_max_internal_user_budget budget_*"
            " internal_user_budget_duration tag_budget_config default_soft_budget callbacks=max_budget_limiter",
            _PARAMS: "max_budget budget_duration",
            _ROUTER: "provider_budget_config",
            _GENERAL: "fail_closed_budget_enforcement",
        },
        _NO_BUDGETS,
        protects=True,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "max_parallel_requests global_max_parallel_requests fail_closed_rate_limit_enforcement"
            " token_rate_limit_type disable_retry_on_max_parallel_request_limit_error max_*_requests_per_worker"
            " admission_queue_timeout_seconds",
            _LITELLM: "priority_reservation priority_reservation_settings callbacks=dynamic_rate_limiter*"
            " callbacks=parallel_request_limiter*",
            _PARAMS: "max_parallel_requests default_api_key_rpm_limit default_api_key_tpm_limit itpm otpm",
            _ROUTER: "default_max_parallel_requests",
            _ENTRY: "rpm tpm",
            _INFO: "rpm tpm",
        },
        _NO_LIMITS,
    ),
    Row(
        Grade.UNSUPPORTED,
        {_GENERAL: "max_request_size_mb max_response_size_mb"},
        "Lambda's own limits hold: about 4.5 MB for a request, 200 MB for an answer",
    ),
    # keys, users and spend
    Row(
        Grade.HARMLESS,
        {
            _GENERAL: "database_connect* database_socket_timeout database_max_* database_extra_* database_disable_*"
            " supported_db_objects disable_prisma_schema_update allow_requests_on_db_unavailable"
            " use_redis_transaction_buffer proxy_batch_* proxy_budget_* maximum_* disable_spend_* disable_error_logs"
            " disable_reset_budget disable_budget_reservation use_spend_logs_partitioning scheduled_job_stagger"
            " user_api_key_cache_*",
            _LITELLM: "disable_end_user_cost_tracking* disable_add_user_agent_to_request_tags",
        },
        "tunes or turns off what is not there: a database, and records of spend in it",
    ),
    Row(
        Grade.MANUAL,
        {
            _GENERAL: "database_* store_model_in_db",
        },
        "there is no database: models are in this file, and API keys in the Parameter Store"
        " (`pennyworth credentials create-key`)",
    ),
    Row(
        Grade.MANUAL,
        {
            _GENERAL: "key_management_system key_management_settings use_azure_key_vault use_google_kms",
            _LITELLM: "secret_manager_client",
        },
        "put the secrets into PROVIDER_CREDENTIALS, or store them with `pennyworth credentials set`",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "custom_key_* default_team_disabled disable_custom_api_keys disable_key_generate_for_org_admin"
            " custom_team_metadata_validate team_metadata_* allow_user_auth"
            " apply_user_budget_to_team_keys use_team_public_model_name disable_auto_add_proxy_admin_to_teams",
            _LITELLM: "key_generation_settings default_key_* default_team_* default_internal_user_params"
            " upperbound_key_generate_params key_alias_pattern enable_key_alias_format_validation scim_* public_*",
            _INFO: "access_* team_* member_auto_router blocked discoverable",
        },
        _NO_ROLES,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _GENERAL: "*spend_logs* spend_* track_unmanaged_batch_cost missing_session_id user_header_name"
            " user_header_mappings",
            _LITELLM: "extra_spend_tag_headers cost_*_config store_audit_logs audit_log_callbacks"
            " enable_end_user_cost_tracking* include_cost_in_streaming_usage model_cost* apply_search_free_tier"
            " overwrite_user_with_key_hash",
        },
        "nobody's spend is recorded: the log has the tokens of each request",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _PARAMS: "*_cost_* *_cost cost_per_* tiered_pricing regional_*",
            _INFO: "*_cost_* *_cost cost_per_* tiered_pricing regional_* ptu_* off_peak_pricing"
            " web_search_billing_unit search_free_requests",
        },
        _NO_PRICES,
    ),
    Row(Grade.UNSUPPORTED, {_PARAMS: "base_model"}, _NO_PRICES, lane="direct"),
    Row(Grade.UNSUPPORTED, {_INFO: "id"}, "clients ask for `model_name`: no model answers to its id"),
    # the log, metrics and alarms
    Row(
        Grade.HARMLESS,
        {
            _LITELLM: "turn_off_message_logging redact_* global_disable_no_log_param"
            " standard_logging_payload_excluded_fields safe_memory_mode",
            _PARAMS: "turn_off_message_logging no-log",
        },
        "neither messages nor keys are ever logged",
    ),
    Row(
        Grade.HARMLESS,
        {
            "*": "json_logs set_verbose log_level debug_level verbose litellm_request_debug"
            " log_client_error_tracebacks",
            _LITELLM: "suppress_debug_info log_* request_correlation_in_logs error_logs"
            " expose_router_debug_in_errors verbose_logger",
        },
        "how LiteLLM logs. The gateway's log is JSON, a line for each request",
    ),
    Row(
        Grade.MANUAL,
        {
            _LITELLM: "callbacks=prometheus* success_callback=prometheus* failure_callback=prometheus*"
            " service_callback=prometheus* *prometheus* require_auth_for_metrics_endpoint",
        },
        "there is no /metrics: the stack has a dashboard and alarms in CloudWatch",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _TOP: "callback_settings",
            _LITELLM: "callbacks success_callback failure_callback service_callback input_callback *_callback_params"
            " callback_settings logging langfuse_* langsmith_* datadog_* argilla_* newrelic_* pointfive_* zerobus_*"
            " generic_logger_headers generic_api_use_v1 gcs_pub_sub_use_v1 otel_* allow_dynamic_callback_disabling"
            " cold_storage_custom_logger logged_real_time_event_types initialized_langfuse_clients tracer email token",
            _GENERAL: "otel tracing",
            _PARAMS: "langfuse_* langsmith_* arize_* dd_* newrelic_* posthog_* signoz_* wandb_* weave_* humanloop_*"
            " gcs_* bucket_name logger_fn litellm_disabled_callbacks litellm_trusted_callback_vars",
        },
        _NO_LOGGERS,
    ),
    Row(
        Grade.MANUAL,
        {_GENERAL: "alert*", _ROUTER: "alerting_config"},
        "the stack's alarms write e-mail or call an SNS topic: set AlarmEmail or AlarmTopicArn",
    ),
    Row(
        Grade.MANUAL,
        {
            "*": "*health_check*",
            _GENERAL: "model_list_healthy_only",
        },
        "nothing runs between requests: the workflow health-check.yml asks the endpoint on a schedule",
    ),
    # caches
    Row(
        Grade.UNSUPPORTED,
        {
            _LITELLM: "cache cache_params *redis* default_in_memory_ttl caching_with_models dynamodb_table_name"
            " enable_caching_on_provider_specific_optional_params",
            _ROUTER: "cache_* caching_groups",
            _PARAMS: "cache caching caching_groups cache_key preset_cache_key ttl valkey_*",
        },
        _NO_CACHE,
    ),
    Row(
        Grade.UNSUPPORTED,
        {_ROUTER: "redis_*", _GENERAL: "coordination_redis"},
        "there is no Redis: each process counts for itself",
    ),
    # what a request becomes
    Row(Grade.EXACT, {_LITELLM: " ".join(sorted(SDK_SETTINGS))}, "on the LiteLLM lane"),
    Row(
        Grade.MANUAL,
        {
            _LITELLM: "ssl_* ssl_verify=False force_ipv4 *aiohttp* http2 use_client client_session aclient_session",
        },
        "certificates are always checked: SSL_CERT_FILE names a file with those of an authority of your own",
    ),
    Row(
        Grade.MANUAL,
        {_PARAMS: "ssl_verify ssl_verify=False"},
        "certificates are always checked: SSL_CERT_FILE names a file with those of an authority of your own",
        lane="direct",
    ),
    Row(Grade.EXACT, {_PARAMS: "ssl_verify"}, lane="litellm"),
    Row(
        Grade.MANUAL,
        {
            _PARAMS: "bos_token eos_token roles initial_prompt_value final_prompt_value custom_prompt_dict"
            " hf_model_name merge_reasoning_content_in_choices supports_system_message ensure_alternating_roles"
            " user_continue_message assistant_continue_message cache_control_injection_points mock_response"
            " mock_timeout enable_prompt_caching enable_json_schema_validation"
            " disable_add_transform_inline_image_block use_chat_completions_api use_xai_oauth"
            " fireworks_forward_user_id provider_specific_header headers context_window_fallback_dict",
        },
        "LiteLLM does it: `model_info: {lane: litellm}` sends the entry's requests through it",
        lane="direct",
    ),
    Row(
        Grade.APPROXIMATE,
        {_PARAMS: "metadata"},
        "goes to the provider; LiteLLM keeps it for its callbacks",
        lane="direct",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _TOP: "prompts",
            _PARAMS: "prompt_id prompt_label prompt_version prompt_variables prompt_environment"
            " litellm_system_prompt",
            _LITELLM: "global_prompt_directory global_*_config prompt_name_config_map",
        },
        "prompts are not kept here: clients send their messages whole",
    ),
    Row(
        Grade.MANUAL,
        {
            _LITELLM: "*_key api_base api_version organization project gdc_api_base predibase_tenant_id headers"
            " custom_provider_map common_cloud_provider_auth_params proxy_auth",
        },
        "give credentials and addresses in each entry's `litellm_params`, or in the providers' own variables",
    ),
    # what is no part of a gateway
    Row(
        Grade.UNSUPPORTED,
        {
            _TOP: "search_tools mcp_servers mcp_tools vector_store_registry sandbox_tools agents agent_list"
            " assistant_settings worker_registry",
            "*": "mcp_* search_tool* vector_store* *_interception_params",
            _ROUTER: "assistants_config",
            _LITELLM: "agent_search_embedding_model skill_search_embedding_model",
            _PARAMS: "vector_store_ids milvus_* output_vector_size max_agentic_loops",
            _GENERAL: "control_plane_url plugins enable_claude_code_gateway claude_code_gateway_managed_settings"
            " user_mcp_management_mode *_mcp_* transcribe_media_buckets",
        },
        _NO_PRODUCT,
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _TOP: "files_settings finetune_settings default_vertex_config",
            _GENERAL: "pass_through_* passthrough_* *_passthrough max_batch_* skip_batch_* disable_batch_*"
            " max_file_* allowed_file_extensions blocked_file_extensions provider_url_destination_allowed_hosts"
            " user_url_* responses_websocket_session_limit_seconds *responses_id_security *_response_ids",
            _LITELLM: "require_managed_files user_url_* provider_url_destination_allowed_hosts"
            " disable_vertex_batch_output_transformation *_assistants_api",
            _PARAMS: "use_in_pass_through s3_* aws_batch_role_arn model_file_id_mapping max_file_size_mb"
            " allm_passthrough_route",
        },
        "files, batches and pass-through paths are not served here",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _LITELLM: "route_all_chat_openai_to_responses use_chat_completions_url_for_anthropic_messages responses",
            _INFO: "use_openai_responses_path",
        },
        "a request goes to the API that the client speaks, and is translated where the provider lacks it",
    ),
    Row(
        Grade.UNSUPPORTED,
        {_GENERAL: "completion_model infer_model_from_keys", _LITELLM: "default_model"},
        "a request names its model",
    ),
    Row(
        Grade.UNSUPPORTED,
        {_GENERAL: "litellm_key_header_name"},
        "a key is looked for in Authorization, x-api-key, api-key, x-litellm-api-key and x-goog-api-key",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _PARAMS: "configurable_clientside_auth_params use_litellm_proxy",
            _GENERAL: "allow_client_side_credentials",
            _LITELLM: "use_litellm_proxy",
        },
        "credentials and addresses are the configuration's alone: a client's are ignored",
    ),
    Row(
        Grade.UNSUPPORTED,
        {
            _PARAMS: "keepalive_seconds allow_client_keepalive_override",
            _LITELLM: "sse_keepalive_ping_interval_seconds anthropic_sse_ping_interval_seconds",
        },
        "a silent stream is not kept alive: API Gateway ends it after 5 minutes",
    ),
    Row(
        Grade.HARMLESS,
        {
            _GENERAL: "ui_* *_ui_* UI_* custom_sso *sso* *login* password_policy_* enable_admin_ui litellm_license"
            " hide_default_credentials_hint enable_public_model_hub",
            _LITELLM: "blog_posts_url *_models_url",
        },
        "there is no web page to sign in to",
    ),
    Row(
        Grade.HARMLESS,
        {
            _GENERAL: "proxy_config_reload_interval_seconds cancel_on_disconnect disable_master_key_return"
            " *drain_* include_call_id_in_error_body expose_fallback_errors_to_caller"
            " allow_public_health_readiness_details disable_model_info_refresh always_include_stream_usage"
            " dangerously_permit_weak_or_unset_master_key",
            _LITELLM: "telemetry disable_hf_tokenizer_download disable_streaming_logging disable_token_counter"
            " return_response_headers filter_invalid_headers network_mock in_memory_llm_clients_cache"
            " *_beta_headers_url strip_anthropic_total_tokens enable_preview_features litellm_mode config_path"
            " gemini_live_defer_setup check_provider_endpoint",
            _PARAMS: "litellm_* proxy_server_request completion_call_id complete_response async_call acompletion"
            " aembedding aimg_generation atext_completion text_completion force_timeout client client_side_timeout"
            " azure id shared_session stream_response stream_chunk_size use_client rust self model_config model_list"
            " secret_fields retry_strategy routing_strategy model_info fallback_depth attempted_targets"
            " fastest_response _*",
        },
        "how LiteLLM works inside. Nothing depends on it here",
    ),
    # what only some providers know
    Row(
        Grade.EXACT,
        {
            _PARAMS: "aws_access_key_id aws_bedrock_runtime_endpoint aws_region_name aws_secret_access_key"
            " aws_session_token"
        },
        "how Bedrock is called",
    ),
    Row(Grade.EXACT, {_PARAMS: f"{_OF_PROVIDERS} base_model"}, lane="litellm"),
    Row(
        Grade.HARMLESS,
        {_PARAMS: _OF_PROVIDERS},
        "belongs to a provider that the entry does not use",
        lane="direct",
    ),
)

_Found = tuple[int, str, Row]
"""A row's number, the value that it wants, and the row."""
_LOST = frozenset([Grade.UNSUPPORTED, Grade.MANUAL])
_OFF = Row(Grade.HARMLESS, {}, "is off or empty, as if it were not there")
_UNKNOWN = Row(Grade.HARMLESS, {}, "LiteLLM knows no such key: it has no effect there either")
OTHERS: Mapping[str, Row] = {
    _PARAMS: Row(
        Grade.EXACT,
        {_PARAMS: "temperature max_tokens ... and what LiteLLM does not know"},
        "goes to the provider with each request that does not bring its own",
    ),
    _INFO: Row(
        Grade.HARMLESS,
        {_INFO: "max_tokens supports_* ... and notes of your own"},
        "tells people and programs of the model; nothing depends on it",
    ),
}
"""What becomes of the keys that are in no row, where a section takes any."""

_MODELS = "model_list"
_SECTIONS = (_LITELLM, _ROUTER, _GENERAL, SETTINGS)


def list_keys(document: Mapping[str, Any], lanes: Mapping[int, str]) -> Iterator[Key]:
    """List a file's keys and what becomes of them.

    Args:
        document: the file's mapping.
        lanes: those of the entries of model_list, by index. An entry that can't be used has none.
    Yields:
        each key; once for each of their rows where its values fare differently.
    """
    for name, value in document.items():
        if name == _MODELS and isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, Mapping):
                    yield from _list_entry((_MODELS, index), entry, lanes.get(index, ""))
        elif name in _SECTIONS and isinstance(value, Mapping):
            yield from _list_section((name,), name, value)
        else:
            yield from _grade((str(name),), _TOP, value)


def read_acknowledged(document: Mapping[str, Any]) -> frozenset[str]:
    """Read which keys' loss a file accepts, by their paths."""
    section = document.get(SETTINGS)
    named = section.get(ACKNOWLEDGED) if isinstance(section, Mapping) else None
    return frozenset(map(str, named if isinstance(named, list) else []))


def _list_entry(place: Place, entry: Mapping[str, Any], lane: str) -> Iterator[Key]:
    for name, value in entry.items():
        if name in (_PARAMS, _INFO) and isinstance(value, Mapping):
            yield from _list_section((*place, name), name, value, lane)
        else:
            yield from _grade((*place, str(name)), _ENTRY, value, lane)


def _list_section(place: Place, section: str, held: Mapping[str, Any], lane: str = "") -> Iterator[Key]:
    for name, value in held.items():
        yield from _grade((*place, str(name)), section, value, lane)


def _grade(place: Place, section: str, value: Any, lane: str = "") -> Iterator[Key]:
    name = str(place[-1])
    values = value if isinstance(value, list) and value else [value]
    rows = {id(row): row for row in (find_row(section, name, lane, _name(each)) for each in values)}
    off = value is None or value is False or value in ("", [], {})
    for row in rows.values():
        lost = off and row.grade in _LOST and not any(f"{name}=" in names for names in row.keys.values())
        yield Key(place, section, name, _OFF if lost else row)


def _name(value: Any) -> str:
    """A value as rows name it: a callback may be a mapping of its name to its settings."""
    return str(next(iter(value), "") if isinstance(value, Mapping) else value)


def find_row(section: str, name: str, lane: str = "", value: str = "") -> Row:
    """Find what becomes of a key.

    Args:
        section: as in `Row.keys`.
        name: the key's.
        lane: its model's, if it is a model's key.
        value: its value, or one of them, as text.
    """
    fitting = (
        row
        for wanted, row in _list_rows(section, name)
        if row.lane in ("", lane) and (not wanted or _fits(wanted, value))
    )
    return next(fitting, None) or OTHERS.get(section, _UNKNOWN)


def is_known(section: str, name: str) -> bool:
    """Check whether a key is in the table, which has all that LiteLLM knows."""
    return bool(_list_rows(section, name))


def list_names(section: str) -> frozenset[str]:
    """List the names in the table for a section, without patterns."""
    named, _ = _index()
    return frozenset(name for where, name in named if where == section)


@cache
def _list_rows(section: str, name: str) -> Sequence[tuple[str, Row]]:
    """List the rows that may hold for a key, and the value that each wants; empty if any."""
    named, patterns = _index()
    sections = (section, "*")
    exact = (found for where in sections for found in named.get((where, name), ()))
    alike = (
        found for where in sections for pattern, found in patterns.get(where, ()) if _fits(pattern, name)
    )
    ordered = sorted((*exact, *alike), key=lambda found: (found[0], not found[1]))
    return [(wanted, row) for _, wanted, row in ordered]


@cache
def _index() -> tuple[dict[tuple[str, str], list[_Found]], dict[str, list[tuple[str, _Found]]]]:
    """Order the rows by what they name: by section and key, and patterns by section."""
    named: dict[tuple[str, str], list[_Found]] = {}
    patterns: dict[str, list[tuple[str, _Found]]] = {}
    for number, row in enumerate(ROWS):
        for section, names in row.keys.items():
            for each in names.split():
                name, _, wanted = each.partition("=")
                if "*" in name:
                    patterns.setdefault(section, []).append((name, (number, wanted, row)))
                else:
                    named.setdefault((section, name), []).append((number, wanted, row))
    return named, patterns


def _fits(pattern: str, text: str) -> bool:
    prefix, star, suffix = pattern.partition("*")
    if not star:
        return text == pattern
    middle, star, end = suffix.partition("*")
    if star:  # *TEXT*
        return text.startswith(prefix) and middle in text[len(prefix) :] and text.endswith(end)
    return len(text) >= len(prefix) + len(suffix) and text.startswith(prefix) and text.endswith(suffix)
