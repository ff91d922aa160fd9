"""The three changes that a policy's PassRole statement is put through, and the proof that each did what it should."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import ClientError, NoCredentialsError

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.errors import is_denied
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.passrole import document as documents
from pennyworth.iam.passrole.document import Document
from pennyworth.iam.passrole.roles import Role, fetch_roles, foresee_roles
from pennyworth.iam.passrole.simulation import Deviation, Simulation
from pennyworth.iam.passrole.versions import ManagedPolicy, Version
from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES

POLICY = MANAGED_POLICIES["deployment"]

_SETTLED_SECONDS = 30.0
"""IAM tells of a change everywhere within seconds:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""
_PAUSE_SECONDS = 2.0

_Seen = TypeVar("_Seen")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the policy."""

    version: str
    """The version that applies now."""
    difference: str
    """What changed in it, as a unified diff; empty where nothing did."""
    roles: tuple[Role, ...] = ()
    """The roles that may be handed on, and to which services; none after a restoration."""
    wider: tuple[Deviation, ...] = ()
    """What can be handed on although this policy does not say so."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which of the three changes is made."""

    target: "Target"
    prepare: Path | None = None
    """A template whose roles are to be admitted before it is deployed."""
    restore: bool = False
    """Whether the previous version is put back."""
    dry_run: bool = False
    """Whether only what would change is told."""

    def __post_init__(self) -> None:
        if self.prepare and self.restore:
            raise OperationFailed("PREPARE and RESTORE exclude one another", "Set one of them.")
        if self.prepare and not self.prepare.is_file():
            raise OperationFailed("There is no template", f"{self.prepare} is no file. Build first.")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME and AWS_REGION; and, if wanted, PREPARE, RESTORE, DRY_RUN, POLICY and
        ROLE.

        Raises:
            OperationFailed: one is missing or wrong, or they exclude one another.
        """
        target = Target(
            actions.required(environ, "STACK_NAME"),
            actions.required(environ, "AWS_REGION"),
            environ.get("POLICY") or POLICY,
            environ.get("ROLE") or DEPLOY_ROLE,
        )
        return cls(
            target,
            Path(environ["PREPARE"]) if environ.get("PREPARE") else None,
            actions.asked(environ, "RESTORE", default=False),
            actions.asked(environ, "DRY_RUN", default=False),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Whose PassRole it is about."""

    stack: str
    region: str
    policy: str = POLICY
    """The managed policy with the PassRole statement, by name or ARN."""
    role: str = DEPLOY_ROLE
    """The deploy role that has it, by name or ARN."""


def change_passrole(inputs: Inputs) -> Outcome:
    """Make the change that is asked for: tighten, unless it is one of the others.

    Raises:
        OperationFailed: it can't be, and why; or it does not prove true.
    """
    if inputs.prepare:
        return prepare(inputs.target, inputs.prepare, dry_run=inputs.dry_run)
    if inputs.restore:
        return restore(inputs.target, dry_run=inputs.dry_run)
    return tighten(inputs.target, dry_run=inputs.dry_run)


def tighten(target: Target, *, dry_run: bool = False) -> Outcome:
    """Have PassRole name exactly the roles that the stack has.

    Args:
        target: whose PassRole.
        dry_run: only tell what would change.
    Raises:
        OperationFailed: it can't be, and why; or it does not prove true.
    """
    with _explain_refusals():
        at = _Connection(target)
        roles = tuple(sorted(fetch_roles(at.account, target.stack).values()))
        if not roles:
            raise OperationFailed(
                f"The stack {target.stack} has no roles",
                f"No role of it in {target.region} is for a service. Look at the stack's name and region, and deploy"
                " it first.",
            )
        return at.apply_roles(roles, dry_run=dry_run)


def prepare(target: Target, template: Path, *, dry_run: bool = False) -> Outcome:
    """Have PassRole name the roles that the stack has, and those that a template is about to create.

    Args:
        target: whose PassRole.
        template: the path of the template, built or not.
        dry_run: only tell what would change.
    Raises:
        OperationFailed: it can't be, and why; or it does not prove true.
    """
    with _explain_refusals():
        at = _Connection(target)
        now = fetch_roles(at.account, target.stack)
        then = foresee_roles(template, target.stack, at.account, now)
        services: dict[str, set[str]] = {}
        for role in (*now.values(), *then.values()):
            services.setdefault(role.arn, set()).update(role.services)
        if not services:
            raise OperationFailed(
                "The template makes no roles",
                f"No role in {template.name} is for a service, so there is nothing to hand on. Is it the stack's?",
            )
        roles = tuple(Role(arn, tuple(sorted(names))) for arn, names in sorted(services.items()))
        return at.apply_roles(roles, dry_run=dry_run)


def restore(target: Target, *, dry_run: bool = False) -> Outcome:
    """Put the policy's previous version back, whatever it says.

    Args:
        target: whose policy.
        dry_run: only tell what would change.
    Raises:
        OperationFailed: there is none.
    """
    with _explain_refusals():
        at = _Connection(target)
        version, before = at.policy.fetch_current()
        previous, after = at.policy.fetch_previous()
        if not dry_run:
            at.policy.apply(previous)
            version = previous
            at.read_back(after)
        return Outcome(version.id, documents.render_diff(before, after))


class _Connection:
    """A target's account, with clients for it."""

    def __init__(self, target: Target) -> None:
        self.account = Account(target.region)
        self.policy = ManagedPolicy(self.account.build_policy_arn(target.policy), self.account.client("iam"))
        self._prefix = self.account.build_role_arn(f"{target.stack}-")
        self._role = self.account.build_role_arn(target.role)

    def apply_roles(self, roles: tuple[Role, ...], *, dry_run: bool) -> Outcome:
        """Have the policy name these roles, and prove it."""
        version, before = self.policy.fetch_current()
        after = documents.rewrite(before, roles)
        difference = documents.render_diff(before, after)
        if dry_run:
            return Outcome(version.id, difference, roles)
        if difference:
            self.policy.put(after)
            version = self.read_back(after)
        patience = _SETTLED_SECONDS if difference else 0.0
        return Outcome(version.id, difference, roles, self._prove(roles, patience))

    def read_back(self, meant: Document) -> Version:
        """See that what applies is what was meant; the version that does."""
        version, read = _wait_until(
            self.policy.fetch_current,
            lambda current: documents.is_equivalent(current[1], meant),
            _SETTLED_SECONDS,
        )
        if not documents.is_equivalent(read, meant):
            raise OperationFailed(
                "The policy is not what it was made to be",
                "Somebody or something else changed it at the same time. See to it that only one deployment runs, and"
                " run this again.",
                documents.render_diff(meant, read),
            )
        return version

    def _prove(self, roles: tuple[Role, ...], patience: float) -> tuple[Deviation, ...]:
        """See by simulation that the deploy role can hand on what it needs to; what it could beyond that."""
        simulation = Simulation(self._role, self.account.client("iam"))
        findings = _wait_until(
            lambda: simulation.simulate(roles, self._prefix),
            lambda result: not (result.refused or result.allowed),
            patience,
        )
        if findings.refused:
            raise OperationFailed(
                "The deploy role can't hand on every role",
                f"The policy names them, but IAM refuses. Is the policy attached to {self._role}, and does the"
                " role's permissions boundary allow the service? The next deployment would fail.",
                "\n".join(f"{one.arn} to {one.service}: {one.because}" for one in findings.refused),
            )
        return tuple(findings.allowed)


def _wait_until(look: Callable[[], _Seen], right: Callable[[_Seen], bool], seconds: float) -> _Seen:
    """What is seen, once it is right or the time is over."""
    until = time.monotonic() + seconds
    while not right(seen := look()) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    return seen


@contextmanager
def _explain_refusals() -> Iterator[None]:
    """Turn AWS's refusals into words that say what to do."""
    try:
        yield
    except Unprepared as failure:
        if not isinstance(failure.__cause__, NoCredentialsError):
            raise
        raise OperationFailed(
            "There are no AWS credentials",
            "Take the deploy role before this step, or give credentials of your own, such as a profile in AWS_PROFILE.",
        ) from failure.__cause__
    except ClientError as failure:
        if not is_denied(failure):
            raise
        raise OperationFailed(
            f"AWS does not allow {failure.operation_name}",
            "These credentials lack a right that policies/deployment.json has. Lay that document over the policy with"
            " `pennyworth bootstrap`, with your own rights. Then run this again.",
            failure.response["Error"]["Message"],
        ) from failure
