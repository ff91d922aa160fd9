"""The configuration: LiteLLM's own config.yaml, read as it is, or one provider named by the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LaneName = Literal["direct", "litellm"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of `model_list`: where the requests for a model name go."""

    name: str
    """The client's name for it (`model_name`); may hold a `*`."""
    provider: str
    """LiteLLM's name of the provider: `openai`, `anthropic`, `bedrock` ..."""
    model: str
    """The upstream's own name for the model, without the provider's prefix; may be or end in `*`."""
    lane: LaneName
    params: Mapping[str, Any] = field(default_factory=dict)
    """`litellm_params` as they stand, `os.environ/NAME` already replaced, without `model`."""
