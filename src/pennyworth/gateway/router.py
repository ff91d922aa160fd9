"""Which deployments a call is tried on, in which order."""

import os
import time
from collections.abc import Iterator

from pennyworth.gateway.call import Attempt, Call, Deadline
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.http.connection import CONNECT_SECONDS
from pennyworth.gateway.settings import Settings

_LAMBDA_MARGIN_SECONDS = 2.0
"""What is kept of a function's time to tell the client that the rest is missing."""


_SHARES = ("weight", "rpm", "tpm")
"""Parameters by which deployments share the calls, the first that any of them has."""


class Router:
    """Chooses among the deployments of a model's name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def attempts(self, call: Call) -> Iterator[Attempt]:
        """The deployments for a call, one by one, each once.

        Those of the lowest `order` come first. Within an order they share the calls at random, by `weight`, else by
        `rpm`, else by `tpm`, as with LiteLLM. Whoever sends goes on to the next only where nothing has reached the
        client, and where the upstream was not reached or refused: no call is paid twice.

        Raises:
            ApiError: 404 `model_not_found`.
        """
        found = self._settings.config.resolve(call.model)
        # a weight of nothing is for a deployment that rests, unless all do
        waiting = [deployment for deployment in found if _weight(deployment)] or list(found)
        while waiting:
            first = min(map(_order, waiting))
            chosen = _choose([deployment for deployment in waiting if _order(deployment) == first])
            waiting.remove(chosen)
            deadline = self._deadline(call, chosen)
            # half of the time, where the other half is of use to another deployment
            seconds = min(CONNECT_SECONDS, deadline.left() / 2) if waiting else CONNECT_SECONDS
            yield Attempt(chosen, self._settings.upstream(chosen), deadline, seconds)

    def _deadline(self, call: Call, deployment: Deployment) -> Deadline:
        """The model's timeout or the configuration's, and the function's own end, whichever comes first.

        A stream's `stream_timeout` is for its silence alone, as it is with LiteLLM.
        """
        params = deployment.params
        deadline = call.request.began + float(params.get("timeout") or self._settings.config.timeout)
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # elsewhere anybody could send this header
            import json

            context = json.loads(call.request.header("x-amzn-lambda-context") or "{}")
            if ends := context.get("deadline"):
                left = ends / 1000 - time.time() - _LAMBDA_MARGIN_SECONDS
                deadline = min(deadline, time.monotonic() + left)
        return Deadline(deadline, params.get("stream_timeout") if call.stream else None)


def _choose(deployments: list[Deployment]) -> Deployment:
    if len(deployments) == 1:
        return deployments[0]
    import random  # only where there is a choice: it costs start-up time

    named = (name for name in _SHARES if any(deployment.params.get(name) for deployment in deployments))
    share = next(named, None)
    weights = [deployment.params.get(share) or 0 for deployment in deployments] if share else None
    return random.choices(deployments, weights)[0]  # noqa: S311  # guards nothing


def _weight(deployment: Deployment) -> float:
    weight = deployment.params.get("weight")
    return 1.0 if weight is None else float(weight)


def _order(deployment: Deployment) -> float:
    order = deployment.params.get("order")
    return float("inf") if order is None else float(order)
