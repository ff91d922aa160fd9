"""Where Amazon Bedrock's OpenAI-compatible APIs lie, and whose name requests are signed in.

https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html
"""

import re
from collections.abc import Mapping
from typing import Any

from pennyworth.gateway.addresses import parse_base_url
from pennyworth.gateway.aws.credentials import CredentialSource, find_source
from pennyworth.gateway.aws.signing import Credentials
from pennyworth.gateway.provider import Address

_REGION = re.compile(r"^(?:chat_completions/)?((?:[a-z]+-)+\d)/")
"""In a model's name as LiteLLM's users write it: `us-west-2/openai.gpt-oss-20b-1:0`."""
_REGIONS = ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")
"""Variables that name it, first match wins."""

_OPENAI = "/openai/v1"
_PLAIN = "/v1"
_ON_OPENAI = re.compile(r"^(?:openai\.gpt-(?!oss)|xai\.|google\.gemma-4)")
"""Models that bedrock-mantle serves below /openai/v1; below the other path it refuses them."""

_SUFFIXES = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}


def resolve_bedrock(
    provider: str, model: str, written: str, params: Mapping[str, Any], environ: Mapping[str, str]
) -> Address:
    """Where a deployment's requests go.

    Args:
        provider: `bedrock`, which is the host bedrock-runtime, or `bedrock_mantle`.
        model: its name as the configuration has it, perhaps with a region before it.
        written: the address that the operator gave, such as a VPC endpoint's; empty for AWS's own.
        params: the deployment's; `aws_region_name` and `aws_bedrock_runtime_endpoint` count.
        environ: AWS_REGION counts, and for bedrock-mantle BEDROCK_MANTLE_REGION before it.
    Raises:
        ValueError: the region is missing, or the address is none.
    """
    mantle = provider == "bedrock_mantle"
    in_name = _REGION.match(model)
    variables = ("BEDROCK_MANTLE_REGION", *_REGIONS) if mantle else _REGIONS
    region = str(
        params.get("aws_region_name")
        or (in_name and in_name[1])
        or next((environ[name] for name in variables if environ.get(name)), "")
    ).strip()
    if not re.fullmatch(r"[a-z0-9-]+", region):
        raise ValueError("litellm_params.aws_region_name must be an AWS region, such as us-east-1")
    bare = model[in_name.end() :] if in_name else model.removeprefix("chat_completions/")
    path = _PLAIN if mantle and not _ON_OPENAI.match(bare) else _OPENAI
    written = written or str(params.get("aws_bedrock_runtime_endpoint") or "")
    if not written:
        host = f"bedrock-mantle.{region}.api.aws" if mantle else f"bedrock-runtime.{region}.{_suffix(region)}"
        return Address(f"https://{host}{path}", region=region)
    try:
        base = parse_base_url(written)
    except ValueError as problem:
        raise ValueError(f"litellm_params.api_base {problem}") from None
    base = base.removesuffix(_PLAIN).removesuffix("/openai")
    return Address(base + path, region=region)


def find_credentials(params: Mapping[str, Any], environ: Mapping[str, str]) -> CredentialSource:
    """The source of a deployment's AWS credentials: its own ones, else the function's role.

    Args:
        params: the deployment's. A configuration often names the variables that Lambda sets, without the token.
        environ: the process's.
    """
    key_id, secret = params.get("aws_access_key_id"), params.get("aws_secret_access_key")
    if not key_id or not secret:
        return find_source(environ)
    token = params.get("aws_session_token") or (
        environ.get("AWS_SESSION_TOKEN", "") if key_id == environ.get("AWS_ACCESS_KEY_ID") else ""
    )
    own = Credentials(str(key_id), str(secret), str(token))
    return lambda: own


def _suffix(region: str) -> str:
    return next((suffix for start, suffix in _SUFFIXES.items() if region.startswith(start)), "amazonaws.com")
