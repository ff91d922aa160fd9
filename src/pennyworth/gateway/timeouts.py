"""How long a provider may be silent, by the settings' own names in LiteLLM's config.

They bound the time between two reads, and of an answer that is no stream the whole. No attempt inherits what another
one has used up. https://docs.litellm.ai/docs/proxy/timeout
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pennyworth.gateway.asked import Asked

DEFAULT_SECONDS = 600.0
"""Where nothing is set. LiteLLM's 6000 are more than a function has."""


class Timeouts(NamedTuple):
    """What holds for all models, in seconds; None where it is not set."""

    request: float | None = None
    """`litellm_settings.request_timeout`."""
    router: float | None = None
    """`router_settings.timeout`."""
    stream: float | None = None
    """`router_settings.stream_timeout`."""
    whole_stream: float = math.inf
    """`general_settings.max_stream_duration`."""

    def choose(self, params: Mapping[str, Any], asked: Asked, *, stream: bool) -> float:
        """Choose how long one attempt may wait, in LiteLLM's order of precedence.

        Args:
            params: the deployment's.
            asked: what the request asks for. It can shorten the time and never lengthen it.
            stream: whether the answer is asked for as a stream.
        """
        plain = float(
            params.get("timeout")
            or params.get("request_timeout")
            or self.request
            or self.router
            or DEFAULT_SECONDS
        )
        if not stream:
            return min(plain, asked.timeout)
        special = params.get("stream_timeout") or self.stream or (self.router and self.request)
        if asked.stream_timeout < math.inf:
            return min(float(special or plain), asked.stream_timeout)
        return float(special or min(plain, asked.timeout))

    def choose_whole(self, info: Mapping[str, Any]) -> float:
        """Choose how long a whole stream may take.

        Args:
            info: the deployment's model_info.
        """
        return float(info.get("max_stream_duration") or self.whole_stream)
