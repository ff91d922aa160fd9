"""Extends MiniStack's IAM: SetDefaultPolicyVersion, a policy simulator that uses its input, and condition keys.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

import base64
import inspect
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator, responses
from ministack.services import iam, sts

from pennyworth.aws.github_oidc import ISSUER

Fields = dict[str, str]
Call = Callable[..., Any]

GITHUB_CLAIMS = (
    "actor",
    "actor_id",
    "enterprise_id",
    "environment",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "runner_environment",
    "workflow",
)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif"""

_SKEW_SECONDS = 60
_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny"}


def handled(original: Call, bound: inspect.BoundArguments) -> Awaitable[Any]:
    """Answer the operations in `_OPERATIONS` instead of MiniStack."""
    fields = {name: values[0] for name, values in parse_qs(bound.arguments["body"].decode()).items()}
    operation = _OPERATIONS.get(fields.get("Action", ""))
    if operation is None:
        answer: Awaitable[Any] = original(*bound.args, **bound.kwargs)
        return answer
    return _answered(operation, fields)


def resource(original: Call, bound: inspect.BoundArguments) -> str:
    """Correct what MiniStack treats as `*`: a simulation's principal, and a path of parameters."""
    given = bound.arguments
    source = given["query_params"].get("PolicySourceArn")
    if given["service"] == "iam" and source:
        return str(source[0])
    if given["service"] == "ssm" and given["headers"].get("x-amz-target", "").endswith(
        ".GetParametersByPath"
    ):
        path = json.loads(given["body"]).get("Path", "/")
        return f"arn:aws:ssm:{given['region']}:{given['account_id']}:parameter{path}"
    return str(original(*bound.args, **bound.kwargs))


def context(original: Call, bound: inspect.BoundArguments) -> dict[str, Any]:
    """Add condition keys that MiniStack lacks: the change set's name, in every call about a change set."""
    found: dict[str, Any] = original(*bound.args, **bound.kwargs)
    name = bound.arguments["params"].get("ChangeSetName")
    if bound.arguments["service"] == "cloudformation" and name:
        return found | {"cloudformation:ChangeSetName": name[0] if isinstance(name, list) else name}
    return found


def lambda_action(original: Call, bound: inspect.BoundArguments) -> str | None:
    """Correct the action of a request for one alias, which MiniStack takes for a list of aliases."""
    path = bound.arguments["path"].strip("/").split("/")
    of_alias = {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"}
    if path[-2:-1] == ["aliases"]:
        return of_alias.get(bound.arguments["method"])
    action: str | None = original(*bound.args, **bound.kwargs)
    return action


def web_identity(original: Call, bound: inspect.BoundArguments) -> tuple[str, dict[str, Any]]:
    """Add GitHub's claims that STS compares since January 2026: MiniStack compares `aud`, `sub` and `amr` only."""
    principal, found = original(*bound.args, **bound.kwargs)
    claims = _read_claims(bound.arguments["token"])
    host = str(claims.get("iss", "")).partition("://")[2].rstrip("/")
    named = {f"{host}:{name}": str(claims[name]) for name in GITHUB_CLAIMS if name in claims}
    return principal, found | (named if host == ISSUER else {})


def web_identity_denied(original: Call, bound: inspect.BoundArguments) -> Any:
    """Refuse tokens that have expired or are not valid yet, as STS does."""
    params = bound.arguments["params"]
    given = params.get("WebIdentityToken", "")
    claims = _read_claims(given[0] if isinstance(given, list) else given)
    now = time.time()
    try:
        expired, early = (
            float(claims.get("exp", now + 1)) <= now,
            float(claims.get("nbf", now)) > now + _SKEW_SECONDS,
        )
    except (TypeError, ValueError):
        return sts._error(400, "InvalidIdentityToken", "The token's times are no numbers", ns="sts")
    if expired:
        return sts._error(400, "ExpiredTokenException", "Token expired", ns="sts")
    if early:
        return sts._error(400, "InvalidIdentityToken", "The token is not valid yet", ns="sts")
    return original(*bound.args, **bound.kwargs)


def _read_claims(token: str) -> dict[str, Any]:
    """Read a JSON Web Token's claims, without judging its signature; empty if it is none."""
    try:
        content = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


async def _answered(operation: Callable[[Fields], Any], fields: Fields) -> Any:
    return operation(fields)


def _set_default_policy_version(fields: Fields) -> Any:
    policy = iam._policies.get(fields["PolicyArn"])
    wanted = fields["VersionId"]
    if not policy or wanted not in policy["Versions"]:
        return iam._error(404, "NoSuchEntity", f"Policy version {wanted} not found.", ns="iam")
    for name, version in policy["Versions"].items():
        version["IsDefaultVersion"] = name == wanted
    policy["DefaultVersionId"] = wanted
    return iam._xml(200, "SetDefaultPolicyVersionResponse", "", ns="iam")


def _simulate_principal_policy(fields: Fields) -> Any:
    source = fields["PolicySourceArn"]
    kind, _, name = source.rpartition(":")[2].partition("/")
    account = responses.get_account_id()
    stores = {
        "role": (iam._roles, iam_evaluator._gather_role_policies),
        "user": (iam._users, iam_evaluator._gather_user_policies),
    }
    if kind not in stores or stores[kind][0].get(name) is None:
        return iam._error(404, "NoSuchEntity", f"Policy source {source} not found.", ns="iam")
    store, gather = stores[kind]
    policies = gather(name, account)
    limits = iam_evaluator._permissions_boundary(store, name, account)
    context = {
        fields[f"{entry}.ContextKeyName"].lower(): list(_members(fields, f"{entry}.ContextKeyValues"))
        for entry in _entries(fields, "ContextEntries")
    }
    results = ""
    for action in _members(fields, "ActionNames"):
        for target in list(_members(fields, "ResourceArns")) or ["*"]:
            asked = iam_evaluator.EvalContext(
                principal_arn=source,
                principal_type="AssumedRole" if kind == "role" else "User",
                principal_account=account,
                action=action,
                resource_arn=target,
                region=responses.get_region(),
                service_context={key: values[0] for key, values in context.items()},
            )
            results += _result(asked, policies, limits)
    return iam._xml(
        200,
        "SimulatePrincipalPolicyResponse",
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>"
        "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>",
        ns="iam",
    )


def _result(asked: Any, policies: list[Any], limits: list[Any]) -> str:
    """Return a simulation's result, with the matching statement's Sid: MiniStack does not keep policy names."""
    found = iam_evaluator.evaluate(asked, policies, *limits)
    matched = (
        f"<member><SourcePolicyId>{escape(found.matched_sid)}</SourcePolicyId></member>"
        if found.matched_sid
        else ""
    )
    within = iam_evaluator.evaluate(asked, *limits).decision == "Allow" if limits else None
    boundary = (
        ""
        if within is None
        else "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
        f"{str(within).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
    )
    return (
        f"<member><EvalActionName>{escape(asked.action)}</EvalActionName>"
        f"<EvalResourceName>{escape(asked.resource_arn)}</EvalResourceName>"
        f"<EvalDecision>{_DECISIONS.get(found.decision, 'implicitDeny')}</EvalDecision>"
        f"<MatchedStatements>{matched}</MatchedStatements><MissingContextValues></MissingContextValues>"
        f"{boundary}</member>"
    )


def _entries(fields: Fields, name: str) -> Iterator[str]:
    """Return the members of a list parameter, in order: `name.member.1` and so on."""
    pattern = re.compile(rf"{re.escape(name)}\.member\.(\d+)(?=\.|$)")
    numbers = {int(match[1]) for field in fields if (match := pattern.match(field))}
    return (f"{name}.member.{number}" for number in sorted(numbers))


def _members(fields: Fields, name: str) -> Iterator[str]:
    return (fields[entry] for entry in _entries(fields, name))


_OPERATIONS: dict[str, Callable[[Fields], Any]] = {
    "SetDefaultPolicyVersion": _set_default_policy_version,
    "SimulatePrincipalPolicy": _simulate_principal_policy,
}
