"""What an endpoint is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pennyworth.gateway.bodies import BodyKind
from pennyworth.gateway.dialects import DialectName

if TYPE_CHECKING:
    from pennyworth.gateway.settings import Settings
    from pennyworth.gateway.wsgi import Request, Response

    Handler = Callable[[Request, Settings, dict[str, str]], Response]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Endpoint:
    """What answers a method and a path."""

    name: str
    method: str = "POST"
    path: str
    """Without /v1; `{name}` stands for a segment, `{name...}` for the rest."""
    needs_key: bool = True
    answer: "Handler | None" = None
    """The gateway's own function; None: an upstream answers."""
    dialect: DialectName = "openai"
    body: BodyKind = "none"
    model_in: Literal["body", "nowhere"] = "nowhere"
    """Where the request names the model."""
    upstream_path: str = ""
    """Behind an upstream's base URL, where it speaks the dialect itself."""
    native: str = ""
    """What the upstream must speak itself, as `Provider.also` has it; empty: both lanes answer."""
    client_headers: Mapping[str, str] = field(default_factory=dict)
    """The client's headers that always go on, with what goes out where there is none."""
    litellm_function: str = ""
    """What translates, where it does not."""
    fields_type: str = ""
    """Where in the package `openai.types` the request's fields are named."""
    streams: bool = True
    """Whether an answer may be asked for as a stream."""
    answer_field: str = "choices"
    """The field that no answer goes without."""
    content_field: str = ""
    """The field that no request goes without."""
    presets: frozenset[str] = frozenset()
    """Fields that an operator may preset in litellm_params; the client's own win."""
