"""What is known of the stack that a configuration is meant for."""

from collections.abc import Mapping
from dataclasses import dataclass

FUNCTION_VARIABLES = frozenset(
    {
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_FUNCTION_NAME",
        "LANG",
        "TZ",
        # template.yaml's
        "LITELLM_MODEL_PROVIDER",
        "LITELLM_API_KEYS",
        "CORS_ALLOW_ORIGINS",
    }
)
"""Variables that the function has without anybody's doing."""


@dataclass(frozen=True, slots=True)
class StackSettings:
    """The stack's parameters that a configuration can be at odds with; empty where they are not known."""

    model_provider: str = ""
    bedrock_access: str = ""
    """automatic, yes or no."""
    python_runtime: str = ""
    memory_size: str = ""
    """MiB."""
    litellm: str = ""
    """Whether LiteLLM is packed: auto, yes or no."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "StackSettings":
        """Those that the deployment's steps get: LITELLM_MODEL_PROVIDER, BEDROCK_ACCESS ..."""
        return cls(
            environ.get("LITELLM_MODEL_PROVIDER", ""),
            environ.get("BEDROCK_ACCESS", ""),
            environ.get("PYTHON_RUNTIME", ""),
            environ.get("MEMORY_SIZE", ""),
            environ.get("LITELLM_LANE", ""),
        )

    def bedrock(self) -> bool:
        """Whether the function's role may call Bedrock's models, as template.yaml decides it."""
        automatic = self.bedrock_access in ("", "automatic")
        return self.bedrock_access == "yes" or (automatic and self.model_provider == "bedrock")
