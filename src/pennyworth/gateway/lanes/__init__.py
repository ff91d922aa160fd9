"""The two ways to an upstream, behind one interface.

Each lane is a module here; `choose` imports only the one that is needed. A lane sends a `Call` to the upstream of an
`Attempt` and gives a `Response`, or raises ApiError while nothing has been sent to the client yet.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

from pennyworth.gateway.call import Attempt, Call
from pennyworth.gateway.config import LaneName
from pennyworth.gateway.upstreams import Upstream
from pennyworth.gateway.wsgi import Response

if TYPE_CHECKING:
    from pennyworth.gateway.settings import Settings


class Lane(Protocol):
    """A way to an upstream."""

    def prepare(self, settings: "Settings") -> None:
        """Do, or begin in the background, what the first call would otherwise wait for."""

    def send(self, call: Call, attempt: Attempt) -> Response:
        """Have the attempt's upstream answer a call.

        Raises:
            UpstreamFailure: it failed, was unreachable or too slow.
            ApiError: it can't be asked this.
            ClientDisconnected: nobody is left to answer.
        """

    def models(self, upstream: Upstream) -> list[str]:
        """The upstream's names of the models that a wildcard deployment (`provider/*`) stands for."""


@cache
def has_litellm() -> bool:
    """Check whether LiteLLM is installed here, or part of the package. Nothing of it is imported."""
    return find_spec("litellm") is not None


@cache
def choose(name: LaneName) -> Lane:
    """The lane of that name, imported when first asked for."""
    return cast(Lane, import_module(f"{__name__}.{name}"))
