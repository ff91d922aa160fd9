"""Every call that a deployment makes: those that were recorded, and those that follow from the template."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pennyworth.aws.names import Names
from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.iam.policy.documents import fill_placeholders

from .account import ACCOUNT, STACK, Role, arn
from .evaluator import Decision, Document
from .lifecycle import LOOKING, Recorded

REQUESTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "requests.toml").read_text())[
    "request"
]

BY_TEMPLATE = {
    "aws:CalledVia": ["cloudformation.amazonaws.com"],
    "aws:ViaAWSService": "true",
}
"""What AWS tells of calls that CloudFormation makes for whoever deploys."""

_OF_THE_REGION = {
    "cloudwatch:DescribeAlarms": arn("cloudwatch", "alarm:payroll"),
    "cloudwatch:GetMetricData": arn("cloudwatch", "dataset/default"),
}
"""What is asked of a whole region, as the evaluator wants it told: others' things among it."""

_OF_NO_ROLE = f":policy/{Names(f'-{STACK}').name_policy('stack-boundary')}"
"""What whoever is none of the endpoint's roles asks for, to learn its names. The recording is an administrator's."""

_NEEDS = """
import dataclasses, json, sys
from pathlib import Path
from pennyworth.iam.policy.derivation import derive_needs
from pennyworth.iam.policy.rules import read_rules
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.iam.policy.template import Template
found = derive_needs(Template(SourceTemplate.read(Path(sys.argv[1])), read_rules()), read_rules())
print(json.dumps([dataclasses.asdict(need) for need in found]))
"""


@dataclass(frozen=True)
class Call:
    """What IAM is asked."""

    by: str
    action: str
    resource: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    agreed: bool = False
    """Whether the resource's own policy agrees: it is another account's, or a key."""

    def __str__(self) -> str:
        return f"{self.by}: {self.action} on {self.resource} {dict(self.facts)}"

    def judged(self, role: Role) -> Decision:
        more: dict[str, Document] = {}
        if self.agreed:
            _, partition, _, _, account, *_ = self.resource.split(":")
            root = {"AWS": f"arn:{partition}:iam::{account}:root"}  # what a key's policy leaves to IAM
            statement = {
                "Effect": "Allow",
                "Principal": root if account == ACCOUNT else "*",
                "Action": self.action,
                "Resource": self.resource,
            }
            more["resource_policy"] = {"Version": "2012-10-17", "Statement": [statement]}
        return role.decide(self.action, self.resource, facts=self.facts, **more)


def derived(values: Mapping[str, str | Sequence[str]], role: str = "deploy") -> Iterator[Call]:
    """The calls that follow from the template, and those of tools that are known.

    Args:
        values: the account's names.
        role: by whose rights they are made: deploy, or view.
    """
    for need in (one for one in _needs() if role in one["roles"]):
        kind = re.search(r"\((AWS::\w+::\w+)\)$", need["by"])
        request = _request(kind[1] if kind else need["by"], need["action"], need["scope"])
        facts = {**(BY_TEMPLATE if kind else {}), **fill_placeholders(request.get("context", {}), values)}
        for resource in fill_placeholders(request["resources"], values):
            agreed = request.get("agreed", False)
            yield Call(need["by"], need["action"], resource, facts, agreed=agreed)


def recorded(calls: Recorded, role: str = "deploy") -> Iterator[Call]:
    """The calls that were recorded by whoever does a role's work, each once."""
    seen = set()
    for what, made in calls.calls.items():
        if (what in LOOKING) is (role == "deploy"):
            continue
        for call in made:
            if call["resource"].endswith(_OF_NO_ROLE):
                continue
            # AWS asks about the stack's id, which the emulator leaves open
            resource = re.sub(r"(:stack/[^/]+)/\*$", r"\1/1", call["resource"])
            if resource == "*":
                resource = _OF_THE_REGION.get(call["action"], resource)
            key = (what, call["action"], resource, json.dumps(call["context"]))
            if key not in seen:
                seen.add(key)
                facts = {**call["context"], "aws:RequestedRegion": call["region"]}
                yield Call(what, call["action"], resource, facts)


@cache
def _needs() -> list[dict[str, Any]]:
    """What is derived, by the environment that can."""
    told = subprocess.run(
        [environment("tools") / "python", "-c", _NEEDS, ROOT / "template.yaml"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


def _request(of: str, action: str, scope: str) -> dict[str, Any]:
    for request in REQUESTS:
        if (
            fnmatchcase(of, request["of"])
            and any(fnmatchcase(action, pattern) for pattern in request["actions"])
            and request.get("scope", scope) == scope
        ):
            return request
    raise LookupError(f"{of} calls {action}: say in tests/iam/requests.toml what AWS asks IAM then")
