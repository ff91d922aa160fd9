"""Whether the deploy role may do what it may, no more, and is taken by nobody else. Compared, never changed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pennyworth.aws.account import STACK, Account
from pennyworth.aws.errors import get_or_none, is_denied
from pennyworth.aws.github_oidc import AUDIENCE, ISSUER
from pennyworth.aws.snapshot import read_parameters
from pennyworth.checks.finding import Findings, ok, unhealthy, unknown, warning
from pennyworth.checks.health.subject import Subject
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import as_list
from pennyworth.iam import passrole as passing
from pennyworth.iam.bootstrap_template.template import TEMPLATE
from pennyworth.iam.drift import find_drifts
from pennyworth.iam.passrole.simulation import Simulation
from pennyworth.iam.settings import Settings, WrongSetting

_NOT_OURS = "`pennyworth bootstrap` makes it; accounts with a role of their own leave this check out."
_OUTDATED = "The account was set up by another version: run `pennyworth bootstrap` again."
_SEE = "`pennyworth tighten-passrole --dry-run` says the same, and more."
_AGAIN = "Run `pennyworth bootstrap` again, which puts it right, and see in CloudTrail who changed it."


def check_passrole(subject: Subject) -> Findings:
    """Whether the deploy role may hand on exactly the stack's roles, as `tighten-passrole` leaves it."""
    account = subject.account
    arn = account.build_policy_arn(subject.policy)
    if get_or_none(account.client("iam").get_policy, PolicyArn=arn) is None:
        yield unknown("there is no policy {policy}", _NOT_OURS, policy=arn.rpartition("/")[2])
        return
    target = passing.Target(subject.stack, account.region, subject.policy, subject.role)
    try:
        outcome = passing.tighten(target, dry_run=True)
    except OperationFailed as failure:
        told = unknown if is_denied(failure.__cause__) else unhealthy
        yield told("{title}. {message}", _SEE, title=failure.title, message=failure.message)
        return
    if outcome.difference:
        yield unhealthy(
            "the policy does not name exactly the stack's roles",
            "Deploy again, or run `pennyworth tighten-passrole` (with --dry-run it shows what differs).",
        )
        return
    simulation = Simulation(account.build_role_arn(subject.role), account.client("iam"))
    judged = simulation.simulate(outcome.roles, account.build_role_arn(f"{subject.stack}-"))
    for finding in judged.refused:
        yield unhealthy(
            "{role} can't be handed to {service}: {because}",
            "The next deployment would fail. Run `pennyworth bootstrap` again.",
            role=finding.arn,
            service=finding.service,
            because=finding.because,
        )
    for finding in judged.allowed:
        yield unhealthy(
            "{role} can be handed to {service}, too, by {because}",
            "Narrow that policy, or detach it.",
            role=finding.arn,
            service=finding.service,
            because=finding.because,
        )
    if not judged.refused and not judged.allowed:
        yield ok("exactly the stack's roles may be handed on, each to its service")


def check_trust(subject: Subject) -> Findings:
    """Whether nobody but this repository's runs can take the deploy role."""
    name = subject.role.rpartition("/")[2]
    found = get_or_none(subject.account.client("iam").get_role, RoleName=name)
    if found is None:
        yield unknown("there is no role {role}", _NOT_OURS, role=name)
        return
    document = found["Role"]["AssumeRolePolicyDocument"]
    problems = list(find_trust_problems(document, subject.repository))
    for problem in problems:
        yield unhealthy("{problem}", _AGAIN, problem=problem)
    if not problems:
        whose = subject.repository or "the repositories that it names"
        yield ok("only runs of {whose} can take the deploy role", whose=whose)


def check_rights(subject: Subject) -> Findings:
    """Whether role, policies and boundaries are as `pennyworth bootstrap` made them."""
    made_with = read_parameters(subject.account.describe_stack())
    if not made_with:
        yield unknown("the account was not set up by `pennyworth bootstrap`")
        return
    try:
        settings = Settings.of(made_with)
    except WrongSetting as wrong:
        yield warning("the account's set-up can't be read: {reason}", _OUTDATED, reason=str(wrong))
        return
    # what a newer version of this project writes differently is no drift of the account's
    said, fix = (warning, _OUTDATED) if _is_outdated(subject.account) else (unhealthy, _AGAIN)
    found = list(find_drifts(subject.account, settings))
    for one in found:
        told = "not as it was made" if "\n" in one.detail else one.detail
        yield said(
            "{what}: {told}", f"{fix} `pennyworth doctor` shows the difference.", what=one.what, told=told
        )
    if not found:
        yield ok("role, policies and boundaries are as they were made")


def _is_outdated(account: Account) -> bool:
    """Whether the account was set up by another version of policies/bootstrap.yaml."""
    cloudformation = account.client("cloudformation")
    made = cloudformation.get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
    return bool(made != TEMPLATE.read_text())


def find_trust_problems(document: Mapping[str, Any], repository: str = "") -> Iterator[str]:
    """What is wrong with a deploy role's trust policy.

    https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws

    Args:
        document: the policy.
        repository: the only one that may be trusted, OWNER/NAME; any where it is empty.
    """
    allowing = [one for one in as_list(document.get("Statement", [])) if one.get("Effect") == "Allow"]
    if not allowing:
        yield "it trusts nobody: no deployment can take the role"
    for statement in allowing:
        principal = statement.get("Principal")
        federated = as_list(principal.get("Federated", [])) if isinstance(principal, Mapping) else []
        others = not isinstance(principal, Mapping) or set(principal) != {"Federated"}
        if others or not all(str(one).endswith(f":oidc-provider/{ISSUER}") for one in federated):
            yield "somebody else than GitHub's runs can take the role, too"
            continue
        conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition", {})
        if any(operator.lower().startswith("forallvalues") for operator in conditions):
            yield "ForAllValues lets in a token that lacks the claim"
        exact = {key.lower(): value for key, value in conditions.get("StringEquals", {}).items()}
        if as_list(exact.get(f"{ISSUER}:aud", [])) != [AUDIENCE]:
            yield f"aud is not kept to {AUDIENCE} by StringEquals"
        subjects = [str(one) for one in as_list(exact.get(f"{ISSUER}:sub", []))]
        if not subjects:
            yield "sub is not kept to this repository's runs by StringEquals"
        for one in subjects:
            yield from _find_subject_problems(one, repository)


def _find_subject_problems(subject: str, repository: str) -> Iterator[str]:
    # since July 2026 GitHub may put ids behind the names: repo:OWNER@1/NAME@2:ref:refs/heads/main
    parts = re.fullmatch(r"repo:([^/:@]+)(?:@\d+)?/([^/:@]+)(?:@\d+)?:(.+)", subject)
    if "*" in subject or "?" in subject:
        yield f"{subject} holds a wildcard"
    elif not parts:
        yield f"{subject} names no repository and branch or environment"
    elif repository and f"{parts[1]}/{parts[2]}".lower() != repository.lower():
        yield f"{subject} is another repository's"
    elif parts[3] == "pull_request":
        yield f"{subject} lets whoever may open a pull request deploy"
