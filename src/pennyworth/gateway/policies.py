"""How often to try again, and how many failures a deployment may have, by the kind of failure.

LiteLLM names the kinds after its exceptions: https://docs.litellm.ai/docs/proxy/reliability
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.fallbacks import Place, Problem, is_filtered

Policy = Mapping[str, float]
"""Numbers by LiteLLM's names, such as RateLimitErrorRetries."""

_RETRIES = "Retries"
_ALLOWED_FAILS = "AllowedFails"

_KINDS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    408: "TimeoutError",
    413: "BadRequestError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
    504: "TimeoutError",
    529: "InternalServerError",
}


class Policies(NamedTuple):
    """What the router's settings say."""

    retries: Policy = MappingProxyType({})
    retries_by_model: Mapping[str, Policy] = MappingProxyType({})
    allowed_fails: float = 0
    """Failures in a minute before a deployment comes last."""
    allowed_fails_by_kind: Policy = MappingProxyType({})

    def find_retries(self, model: str, failure: UpstreamFailure) -> float | None:
        """Find how often to try a model again after a failure. None: there is no rule for it."""
        policy = self.retries_by_model.get(model, self.retries)
        found = _find(policy, failure, _RETRIES) if policy else None
        return policy.get(f"Default{_RETRIES}") if found is None else found

    def find_allowed_fails(self, info: Mapping[str, Any], failure: UpstreamFailure) -> float:
        """Find how many failures a deployment may have in a minute.

        Args:
            info: its model_info, which comes first.
            failure: the last of them.
        """
        own = info.get("allowed_fails_policy")
        found = (
            _find(own, failure, _ALLOWED_FAILS) if own else None,
            info.get("allowed_fails"),
            _find(self.allowed_fails_by_kind, failure, _ALLOWED_FAILS),
        )
        return next((float(number) for number in found if number is not None), self.allowed_fails)


def _find(policy: Policy, failure: UpstreamFailure, what: str) -> float | None:
    kinds = [_KINDS.get(failure.status, "")]
    if failure.code == "upstream_unreachable":  # which has no answer, and so no status of the provider's
        kinds = ["InternalServerError"]
    elif is_filtered(failure):
        kinds.insert(0, "ContentPolicyViolationError")
    return next((policy[kind + what] for kind in kinds if kind + what in policy), None)


def read_policies(
    sections: Mapping[str, Mapping[str, Any]], allowed_fails: float | None
) -> tuple[Policies, list[Problem]]:
    """Read the policies from a config file's sections.

    Args:
        sections: router_settings and litellm_settings.
        allowed_fails: the number of that name.
    Returns:
        the policies, and what is wrong with them: a message and its place.
    """
    router, problems = sections["router_settings"], list[Problem]()

    def read(value: Any, *place: str) -> Policy:
        policy, wrong = read_policy(value, place)
        problems.extend(wrong)
        return policy

    by_model = router.get("model_group_retry_policy") or {}
    if not isinstance(by_model, Mapping):
        place = ("router_settings", "model_group_retry_policy")
        problems.append((f"{'.'.join(map(str, place))}: a mapping of models to policies is expected", place))
        by_model = {}
    return Policies(
        read(router.get("retry_policy"), "router_settings", "retry_policy"),
        {
            str(model): read(value, "router_settings", "model_group_retry_policy", str(model))
            for model, value in by_model.items()
        },
        allowed_fails or 0,
        read(router.get("allowed_fails_policy"), "router_settings", "allowed_fails_policy"),
    ), problems


def read_policy(value: Any, place: Place) -> tuple[Policy, list[Problem]]:
    """Read one policy, and what is wrong with it."""
    if value is None:
        return {}, []
    if not isinstance(value, Mapping):
        return {}, [
            (f"{'.'.join(map(str, place))}: a mapping is expected, such as RateLimitErrorRetries: 3", place)
        ]
    policy, problems = {}, []
    for name, number in value.items():
        if isinstance(number, int | float) and not isinstance(number, bool) and number >= 0:
            policy[str(name)] = float(number)
        elif number is not None:
            where = (*place, str(name))
            problems.append(
                (f"{'.'.join(map(str, where))}: a number from 0 is expected, not {number!r}", where)
            )
    return policy, problems
