"""Tighten, prepare or restore a policy's PassRole statements, and verify the result."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import ClientError, NoCredentialsError

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.errors import is_denied
from pennyworth.aws.names import Names, find_names
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.passrole import document as documents
from pennyworth.iam.passrole.document import Document
from pennyworth.iam.passrole.roles import Role, fetch_roles, predict_roles
from pennyworth.iam.passrole.simulation import Deviation, Simulation
from pennyworth.iam.passrole.versions import ManagedPolicy, Version

_SETTLED_SECONDS = 30.0
"""IAM is eventually consistent. Changes take effect within seconds:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""
_PAUSE_SECONDS = 2.0

_Seen = TypeVar("_Seen")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The policy after a change."""

    version: str
    """The policy's default version."""
    difference: str
    """The change as a unified diff; empty if nothing changed."""
    roles: tuple[Role, ...] = ()
    """The roles that may be passed, and to which services; empty after `restore`."""
    wider: tuple[Deviation, ...] = ()
    """What the deploy role can pass beyond that, because of other statements or policies."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The change to make. The default is to tighten."""

    target: "Target"
    prepare: Path | None = None
    """The template to prepare for: its roles are allowed before it is deployed."""
    restore: bool = False
    """Whether to restore the previous version."""
    dry_run: bool = False
    """Whether to only report what would change."""

    def __post_init__(self) -> None:
        if self.prepare and self.restore:
            raise OperationFailed("PREPARE and RESTORE can't be combined", "Set only one of them.")
        if self.prepare and not self.prepare.is_file():
            raise OperationFailed("There is no template", f"{self.prepare} does not exist. Build first.")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """Read a step's inputs.

        Args:
            environ: STACK_NAME and AWS_REGION; optionally PREPARE, RESTORE, DRY_RUN, POLICY and ROLE.
        Returns:
            the inputs.
        Raises:
            OperationFailed: an input is missing or invalid, or two inputs can't be combined.
        """
        target = Target(
            actions.required(environ, "STACK_NAME"),
            actions.required(environ, "AWS_REGION"),
            environ.get("POLICY", ""),
            environ.get("ROLE", ""),
        )
        return cls(
            target,
            Path(environ["PREPARE"]) if environ.get("PREPARE") else None,
            actions.asked(environ, "RESTORE", default=False),
            actions.asked(environ, "DRY_RUN", default=False),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """The stack and the policy whose PassRole statements are changed."""

    stack: str
    region: str
    policy: str = ""
    """The managed policy with the PassRole statements, by name or ARN. Empty: the endpoint's."""
    role: str = ""
    """The deploy role, which has that policy, by name or ARN. Empty: the endpoint's."""


def change_passrole(inputs: Inputs) -> Outcome:
    """Tighten, prepare or restore.

    Args:
        inputs: which of the three, and for which stack.
    Returns:
        the policy after the change.
    Raises:
        OperationFailed: the change fails, or its verification does.
    """
    if inputs.prepare:
        return prepare(inputs.target, inputs.prepare, dry_run=inputs.dry_run)
    if inputs.restore:
        return restore(inputs.target, dry_run=inputs.dry_run)
    return tighten(inputs.target, dry_run=inputs.dry_run)


def tighten(target: Target, *, dry_run: bool = False) -> Outcome:
    """Make PassRole list exactly the roles that the stack has.

    Args:
        target: the stack and the policy.
        dry_run: only report what would change.
    Returns:
        the policy after the change.
    Raises:
        OperationFailed: the change fails, or its verification does.
    """
    with _explain_refusals():
        connection = _Connection(target)
        roles = tuple(sorted(fetch_roles(connection.account, target.stack).values()))
        if not roles:
            raise OperationFailed(
                f"The stack {target.stack} has no roles",
                f"None of its roles in {target.region} trusts a service. Check the stack's name and region. If it is"
                " not deployed yet, deploy it first.",
            )
        return connection.apply_roles(roles, dry_run=dry_run)


def prepare(target: Target, template: Path, *, dry_run: bool = False) -> Outcome:
    """Make PassRole list the roles that the stack has and those that a template will create.

    Args:
        target: the stack and the policy.
        template: the path of the template, built or not.
        dry_run: only report what would change.
    Returns:
        the policy after the change.
    Raises:
        OperationFailed: the change fails, or its verification does.
    """
    with _explain_refusals():
        connection = _Connection(target)
        existing = fetch_roles(connection.account, target.stack)
        planned = predict_roles(template, target.stack, connection.account, existing)
        services: dict[str, set[str]] = {}
        for role in (*existing.values(), *planned.values()):
            services.setdefault(role.arn, set()).update(role.services)
        if not services:
            raise OperationFailed(
                "The template creates no roles",
                f"No role in {template.name} trusts a service, so there is no role to pass. Is it the right template?",
            )
        roles = tuple(Role(arn, tuple(sorted(names))) for arn, names in sorted(services.items()))
        return connection.apply_roles(roles, dry_run=dry_run)


def restore(target: Target, *, dry_run: bool = False) -> Outcome:
    """Restore the policy's previous version, whatever it contains.

    Args:
        target: the policy.
        dry_run: only report what would change.
    Returns:
        the policy after the change.
    Raises:
        OperationFailed: there is no previous version.
    """
    with _explain_refusals():
        connection = _Connection(target)
        version, before = connection.policy.fetch_current()
        previous, after = connection.policy.fetch_previous()
        if not dry_run:
            connection.policy.apply(previous)
            version = previous
            connection.check_applied(after)
        return Outcome(version.id, documents.render_diff(before, after))


class _Connection:
    """The account and the policy of a target."""

    def __init__(self, target: Target) -> None:
        self.account = Account(target.region)
        names = Names.of_role(target.role) or find_names(self.account, target.stack)
        policy = self.account.build_policy_arn(target.policy or names.name_policy("deployment"))
        self.policy = ManagedPolicy(policy, self.account.client("iam"))
        self._prefix = self.account.build_role_arn(f"{target.stack}-")
        self._role = self.account.build_role_arn(target.role or names.deploy_role)

    def apply_roles(self, roles: tuple[Role, ...], *, dry_run: bool) -> Outcome:
        """Make the policy list exactly these roles, and verify it."""
        version, before = self.policy.fetch_current()
        after = documents.rewrite(before, roles)
        difference = documents.render_diff(before, after)
        if dry_run:
            return Outcome(version.id, difference, roles)
        if difference:
            self.policy.put(after)
            version = self.check_applied(after)
        patience = _SETTLED_SECONDS if difference else 0.0
        return Outcome(version.id, difference, roles, self._verify(roles, patience))

    def check_applied(self, expected: Document) -> Version:
        """Check that a document is the policy's default version, and return that version."""
        version, read = _poll(
            self.policy.fetch_current,
            lambda current: documents.is_equivalent(current[1], expected),
            _SETTLED_SECONDS,
        )
        if not documents.is_equivalent(read, expected):
            raise OperationFailed(
                "The policy differs from what was written",
                "It was changed by someone else at the same time. Make sure that only one deployment runs, then run"
                " this again.",
                documents.render_diff(expected, read),
            )
        return version

    def _verify(self, roles: tuple[Role, ...], patience: float) -> tuple[Deviation, ...]:
        """Check in IAM's policy simulator that the deploy role can pass the roles. Return what else it can pass."""
        simulation = Simulation(self._role, self.account.client("iam"))
        findings = _poll(
            lambda: simulation.simulate(roles, self._prefix),
            lambda result: not (result.refused or result.allowed),
            patience,
        )
        if findings.refused:
            raise OperationFailed(
                "The deploy role can't pass every role",
                f"The policy lists them, but IAM denies it, so the next deployment would fail. Check that the policy"
                f" is attached to {self._role}, and that the role's permissions boundary allows these services.",
                "\n".join(f"{one.arn} to {one.service}: {one.because}" for one in findings.refused),
            )
        return tuple(findings.allowed)


def _poll(fetch: Callable[[], _Seen], is_done: Callable[[_Seen], bool], seconds: float) -> _Seen:
    """Fetch until the result is as expected or the time is up. Return the last result."""
    until = time.monotonic() + seconds
    while not is_done(seen := fetch()) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    return seen


@contextmanager
def _explain_refusals() -> Iterator[None]:
    """Turn AWS's errors about credentials and permissions into messages that say what to do."""
    try:
        yield
    except Unprepared as failure:
        if not isinstance(failure.__cause__, NoCredentialsError):
            raise
        raise OperationFailed(
            "There are no AWS credentials",
            "Assume the deploy role before this step, or use your own credentials, such as a profile in AWS_PROFILE.",
        ) from failure.__cause__
    except ClientError as failure:
        if not is_denied(failure):
            raise
        raise OperationFailed(
            f"AWS does not allow {failure.operation_name}",
            "These credentials lack a permission that policies/deployment.json grants. Run `pennyworth bootstrap` with"
            " your own permissions to update the policy. Then run this again.",
            failure.response["Error"]["Message"],
        ) from failure
