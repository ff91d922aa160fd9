"""Which deployments a call is tried on, in which order, and how often."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import suppress

from pennyworth.gateway import lanes
from pennyworth.gateway.call import Attempt, Call, Deadline
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.errors import ApiError, UpstreamFailure
from pennyworth.gateway.fallbacks import is_too_long
from pennyworth.gateway.http.connection import CONNECT_SECONDS
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request

_LAMBDA_MARGIN_SECONDS = 2.0
"""What is kept of a function's time to tell the client that the rest is missing."""


_SHARES = ("weight", "rpm", "tpm")
"""Parameters by which deployments share the calls, the first that any of them has."""

_RETRIES_IF_ASKED = 2
"""How often a request may have itself tried again where nothing is configured: LiteLLM's default for all."""

_UNPAID = frozenset([400, 401, 402, 403, 404, 409, 413, 422, 429])
"""Answers of those who did no work, which are tried again where a policy says so."""

# That the same credentials are refused a moment later is certain.
_FINAL = frozenset([401, 402, 403])

# Between retries, as LiteLLM waits: twice as long each time, and not all callers at once.
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 8.0
_JITTER_SECONDS = 0.25
_LONGEST_ASKED_SECONDS = 60.0
"""Of a `retry-after` that is waited for."""
_LOOK_SECONDS = 0.1
"""How often it is asked whether somebody still waits."""


class Router:
    """Chooses among the deployments of a model's name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def attempts(self, call: Call, model: str | None = None) -> Iterator[Attempt]:
        """The deployments for a call, one by one, each once.

        Those that failed a moment ago come last, else those of the lowest `order` first. Within an order they share
        the calls at random, by `weight`, else by `rpm`, else by `tpm`, as with LiteLLM.

        Args:
            call: what is to be answered.
            model: the model that answers. Default: the one that was asked.
        Raises:
            ApiError: 404 `model_not_found`.
        """
        name = model or call.model
        found = self._resolve(call, name)
        ends = _find_end(call.request)
        # a weight of nothing is for a deployment that rests, unless all do
        waiting = [deployment for deployment in found if _weight(deployment)] or list(found)
        while waiting:
            ready = self._settings.rested(waiting) or waiting
            first = min(map(_order, ready))
            chosen = _choose([deployment for deployment in ready if _order(deployment) == first])
            waiting.remove(chosen)
            deadline = self._deadline(call, chosen, ends)
            # half of the time, where the other half is of use to another deployment
            seconds = min(CONNECT_SECONDS, deadline.left() / 2) if waiting else CONNECT_SECONDS
            forwarded = self._settings.config.forwarding.choose(call.request, name, chosen.provider)
            yield Attempt(chosen, self._settings.upstream(chosen), deadline, seconds, forwarded)

    def _resolve(self, call: Call, model: str) -> list[Deployment]:
        """The deployments of a name that the call's endpoint can be asked of."""
        found = self._settings.config.resolve(model)
        able = [on_lane for each in found if (on_lane := each.choose_lane(call.endpoint.native))]
        if able:
            return able
        path, translated = f"/v1{call.endpoint.path}", bool(call.endpoint.litellm_function)
        if translated and lanes.has_litellm() and (able := [one for each in found if (one := each.bridge())]):
            lanes.choose("litellm").prepare(self._settings)
            return able
        raise ApiError(
            400,
            f"The model '{model}' can't be asked at {path}: its provider '{found[0].provider}' does not speak this"
            " protocol. Ask it at /v1/chat/completions, or choose another model."
            + (" Whoever runs this gateway can have it translated: LITELLM_LANE=yes." if translated else ""),
            code="unsupported_endpoint",
            param="model",
        )

    def _deadline(self, call: Call, deployment: Deployment, ends: float) -> Deadline:
        """What LiteLLM would wait for one read; the whole answer has the function's time, or a stream its own."""
        timeouts = self._settings.config.timeouts
        if call.stream:
            ends = min(ends, call.request.began + timeouts.choose_whole(deployment.info))
        return Deadline(ends, timeouts.choose(deployment.params, call.asked, stream=call.stream))


def _find_end(request: Request) -> float:
    """When a function's own time is over, on time.monotonic()'s clock; never elsewhere."""
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:  # elsewhere anybody could send this header
        return math.inf
    import json

    context = json.loads(request.header("x-amzn-lambda-context") or "{}")
    if not (ends := context.get("deadline")):
        return math.inf
    return float(time.monotonic() + ends / 1000 - time.time() - _LAMBDA_MARGIN_SECONDS)


class Route:
    """The attempts at one call: its model's deployments, these again, then the models that stand in for it.

    Nothing that may have been paid is sent again: only what never reached an upstream, or what that refused.
    """

    def __init__(self, settings: Settings, call: Call) -> None:
        self._settings = settings
        self._router = Router(settings)
        self._call = call
        self._fallbacks = call.asked.choose_fallbacks(settings.config.fallbacks)
        self._models = [call.model]
        self._at = 0
        """Which of the models is tried."""
        self._attempts = self._router.attempts(call)
        self.retries = 0
        """How often all deployments of a model were tried again."""
        self.fallbacks = 0
        """How many other models were tried, without those that are not there."""

    def begin(self) -> Attempt:
        """The first attempt.

        Raises:
            ApiError: 404 `model_not_found`.
        """
        return next(self._attempts)

    def go_on(self, attempt: Attempt, failure: UpstreamFailure) -> Attempt | None:
        """The next attempt after one that failed. None where there is no use in another one.

        Raises:
            ApiError, ClientDisconnected: while waiting for it, nobody was left to answer.
        """
        unpaid = failure.refused or not failure.sent
        if unpaid or self._is_to_blame(failure):
            self._settings.rest(attempt.deployment, failure, _asked_seconds(failure))
        elsewhere = unpaid or (self._settings.config.length_checks and is_too_long(failure))
        if elsewhere and (found := self._next_in_time()):
            return found
        if self.retries < self._count_retries(attempt, failure) and self._waits(attempt, failure):
            self.retries += 1
            self._attempts = self._router.attempts(self._call, self._models[self._at])
            if found := self._next_in_time():
                return found
        failed = self._models[self._at]
        names = self._fallbacks.find(failed, failure, self._settings.config.aliases.get(failed))
        self._models += [name for name in names if name not in self._models]
        while self._at < min(len(self._models) - 1, self._fallbacks.most):
            self._at += 1
            self.retries = 0
            self._attempts = self._router.attempts(self._call, self._models[self._at])
            with suppress(ApiError):  # `config check` tells of a fallback that is no model
                if found := self._next_in_time():
                    self.fallbacks += 1
                    return found
        return None

    def _next_in_time(self) -> Attempt | None:
        return next((each for each in self._attempts if not each.deadline.has_passed()), None)

    def _is_to_blame(self, failure: UpstreamFailure) -> bool:
        """Whether a deployment does badly that may have been paid, and not because a caller was impatient."""
        if failure.code == "upstream_timeout" and self._call.asked.is_impatient:
            return False
        return failure.status in (404, 408) or failure.status >= 500

    def _count_retries(self, attempt: Attempt, failure: UpstreamFailure) -> float:
        """How often to try again: as configured, or fewer times where the request asks for it."""
        config, params = self._settings.config, attempt.deployment.params
        unpaid = failure.refused or not failure.sent
        most = config.policies.find_retries(self._models[self._at], failure)
        if most is not None:
            again = unpaid or failure.status in _UNPAID
        else:
            again = unpaid and failure.status not in _FINAL
            given = (params.get("num_retries"), params.get("max_retries"), config.num_retries)
            most = next((number for number in given if number is not None), None)
        if not again or attempt.upstream.problem:
            return 0
        asked = self._call.asked.retries
        if asked is not None:
            return min(asked, _RETRIES_IF_ASKED if most is None else most)
        return most or 0

    def _waits(self, attempt: Attempt, failure: UpstreamFailure) -> bool:
        """Wait before another try. False where there is no time for it."""
        import random  # only where something failed

        own = min(_FIRST_WAIT_SECONDS * 2**self.retries, _LONGEST_WAIT_SECONDS)
        seconds = _asked_seconds(failure) or max(own, self._settings.config.retry_after)
        seconds += random.uniform(0, _JITTER_SECONDS)  # noqa: S311  # guards nothing
        if seconds >= attempt.deadline.left():
            return False
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._call.request.check_wanted()
            time.sleep(min(left, _LOOK_SECONDS))
        return True


def _asked_seconds(failure: UpstreamFailure) -> float:
    """The wait that an upstream asks for, in seconds. 0 if none, or too long a one."""
    asked = {name.lower(): value for name, value in failure.headers}
    after = asked.get("retry-after", "")
    try:
        seconds = float(asked["retry-after-ms"]) / 1000 if "retry-after-ms" in asked else float(after)
    except ValueError:
        seconds = _seconds_to(after)
    return seconds if 0 < seconds <= _LONGEST_ASKED_SECONDS else 0.0


def _seconds_to(date: str) -> float:
    """Seconds to a date as HTTP writes it. 0 if it is none."""
    if not date.endswith(" GMT"):
        return 0.0
    from email.utils import parsedate_to_datetime  # nearly all write seconds

    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return 0.0


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
