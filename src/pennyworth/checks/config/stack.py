"""What is known of the stack that a configuration is meant for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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


READ = ("ModelProvider", "BedrockAccess", "PythonRuntime", "MemorySize")
"""The stack parameters that a configuration can contradict."""


@dataclass(frozen=True, slots=True)
class StackSettings:
    """What is known of the stack."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """Values of its parameters by name, as far as they are known. Only those in READ matter."""
    litellm: str = ""
    """Whether the package includes LiteLLM: auto, yes or no. Empty if that is not known."""

    def get(self, parameter: str) -> str:
        """The value of a parameter; empty if it is not known."""
        return self.parameters.get(parameter, "")

    def allows_bedrock(self) -> bool:
        """Whether the function's role may call Bedrock's models, as template.yaml decides it."""
        access = self.get("BedrockAccess") or "automatic"
        return access == "yes" or (access == "automatic" and self.get("ModelProvider") == "bedrock")
