"""Judges AWS requests against IAM policies as AWS would, with a program that does nothing else.

https://github.com/cloud-copilot/iam-simulate is what judges. It is AGPL, so it runs as a process of its own, in the
tests alone.
"""

import json
import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .install import installed, programs

Document = Mapping[str, Any]
Context = Mapping[str, str | Sequence[str]]

HERE = Path(__file__).parent
UNLISTED = tomllib.loads((HERE / "unlisted.toml").read_text())["requests"]

ALLOWED = "Allowed"
_GLOBAL_REGION = "us-east-1"
"""Where services without regions are asked."""

_CLAIM = re.compile(
    r'"([\w-]+(?:\.[\w-]+)+(?:/[\w-]+)*):(aud|sub|repository_id|repository_owner_id|job_workflow_ref)"'
)
_STAND_IN = r'"aws:RequestTag/\1/\2"'
"""The evaluator does not know the keys that identity providers' claims have; these are strings as well."""


class NotJudged(Exception):
    """The request or a policy is not valid, which says nothing about whether it would be allowed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a request."""

    result: str
    """Allowed, ImplicitlyDenied or ExplicitlyDenied."""

    @property
    def allowed(self) -> bool:
        return self.result == ALLOWED


class Evaluator:
    """The evaluator's process, from `with` to the end of its block. Takes about 2 ms for a request."""

    def __init__(self, account: str) -> None:
        """
        Args:
            account: the account that owns what an ARN gives no account for.
        """
        self._account = account

    def __enter__(self) -> "Evaluator":
        # it ends when its standard input does, whatever becomes of this process
        self._process = subprocess.Popen(
            [programs() / "node", HERE / "evaluate.mjs", installed()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def decide(
        self,
        principal: str,
        action: str,
        resource: str,
        context: Context | None = None,
        *,
        facts: Context | None = None,
        identity: Sequence[Document] = (),
        boundaries: Sequence[Document] = (),
        resource_policy: Document | None = None,
    ) -> Decision:
        """Judge one request.

        Args:
            principal: the caller's ARN, or an identity provider's.
            action: in IAM's words, such as `iam:PassRole`.
            resource: the ARN of what it is done to; `*` for actions that know no resources.
            context: condition keys and their values. Region, account and TLS are given unless they stand here.
            facts: more of them, which count only where AWS tells them for the action.
            identity: the policies attached to the principal.
            boundaries: its permissions boundary, if it has one.
            resource_policy: that of the resource: a role's trust, a layer's permissions.
        Raises:
            NotJudged: something in it is not valid.
        """
        facts = {**self._everywhere(principal, resource), **(facts or {})}
        simulation: dict[str, Any] = {
            "request": {
                "principal": principal,
                "action": action,
                "resource": {"resource": resource, "accountId": _account(resource) or self._account},
                "contextVariables": {**facts, **(context or {})},
            },
            "identityPolicies": _named(identity),
            "serviceControlPolicies": [],
            "resourceControlPolicies": [],
        }
        if boundaries:
            simulation["permissionBoundaryPolicies"] = _named(boundaries)
        if resource_policy:
            simulation["resourcePolicy"] = resource_policy
        known = not any(
            fnmatchcase(action, request["action"]) and fnmatchcase(resource, request["resource"])
            for request in UNLISTED
        )
        question = json.dumps({"known": known, "simulation": simulation})
        answer = self._ask(_CLAIM.sub(_STAND_IN, question))
        if "errors" in answer:
            raise NotJudged(f"{action} on {resource}: {json.dumps(answer['errors'])}")
        if unknown := set(answer.get("ignored", ())) - set(facts):
            raise NotJudged(f"{action} on {resource}: AWS does not tell {', '.join(sorted(unknown))}")
        return Decision(answer["result"])

    def _everywhere(self, principal: str, resource: str) -> dict[str, str]:
        """What AWS says of every request."""
        region = resource.split(":")[3] if resource.startswith("arn:") else ""
        return {
            "aws:PrincipalArn": principal,
            "aws:RequestedRegion": region or _GLOBAL_REGION,
            "aws:ResourceAccount": _account(resource) or self._account,
            "aws:SecureTransport": "true",
        }

    def _ask(self, question: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise NotJudged("the evaluator has ended; it says why above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _account(resource: str) -> str:
    """The account that an ARN names; empty where it names none."""
    parts = resource.split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdecimal() else ""


def _named(policies: Sequence[Document]) -> list[dict[str, Any]]:
    return [{"name": str(number), "policy": policy} for number, policy in enumerate(policies)]
