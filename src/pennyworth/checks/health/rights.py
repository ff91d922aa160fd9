"""Checks the deploy role's permissions and trust policy. Changes nothing."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pennyworth.aws.account import Account
from pennyworth.aws.errors import get_or_none, is_denied
from pennyworth.aws.github_oidc import AUDIENCE, ISSUER
from pennyworth.aws.snapshot import read_parameters
from pennyworth.checks.finding import Findings, ok, unhealthy, unknown, warning
from pennyworth.checks.health.subject import Subject
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import as_list
from pennyworth.iam import passrole as passing
from pennyworth.iam.bootstrap_template.template import read_template
from pennyworth.iam.drift import find_drifts
from pennyworth.iam.passrole.simulation import Simulation
from pennyworth.iam.settings import Settings, WrongSetting

_NOT_OURS = "`pennyworth bootstrap` creates it. If you use a role of your own, skip this check."
_OUTDATED = "The account was set up by another version of pennyworth: run `pennyworth bootstrap` again."
_SEE = "For details, run `pennyworth tighten-passrole --dry-run`."
_AGAIN = "Run `pennyworth bootstrap` again to fix it. CloudTrail shows who changed it."


def check_passrole(subject: Subject) -> Findings:
    """Check that the deploy role may pass exactly the stack's roles, as `tighten-passrole` sets it."""
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
            "iam:PassRole does not name exactly the stack's roles",
            "Deploy again, or run `pennyworth tighten-passrole` (--dry-run shows what differs).",
        )
        return
    simulation = Simulation(account.build_role_arn(subject.role), account.client("iam"))
    judged = simulation.simulate(outcome.roles, account.build_role_arn(f"{subject.stack}-"))
    for finding in judged.refused:
        yield unhealthy(
            "the deploy role can't pass {role} to {service}: {because}",
            "The next deployment would fail. Run `pennyworth bootstrap` again.",
            role=finding.arn,
            service=finding.service,
            because=finding.because,
        )
    for finding in judged.allowed:
        yield unhealthy(
            "the deploy role can also pass {role} to {service}: {because}",
            "Restrict or detach the policy that allows it.",
            role=finding.arn,
            service=finding.service,
            because=finding.because,
        )
    if not judged.refused and not judged.allowed:
        yield ok("the deploy role may pass exactly the stack's roles, each to its service")


def check_trust(subject: Subject) -> Findings:
    """Check that only this repository's runs can assume the deploy role."""
    name = subject.role.rpartition("/")[2]
    found = get_or_none(subject.account.client("iam").get_role, RoleName=name)
    if found is None:
        yield unknown("there is no role {role}", _NOT_OURS, role=name)
        return
    document = found["Role"]["AssumeRolePolicyDocument"]
    issuer = read_parameters(subject.account.describe_stack(subject.names.bootstrap_stack)).get(
        "Issuer", ISSUER
    )
    problems = list(find_trust_problems(document, subject.repository, issuer))
    for problem in problems:
        yield unhealthy("{problem}", _AGAIN, problem=problem)
    if not problems:
        whose = subject.repository or "the repositories in its trust policy"
        yield ok("only runs of {whose} can assume the deploy role", whose=whose)


def check_rights(subject: Subject) -> Findings:
    """Check that roles, policies and boundaries are as `pennyworth bootstrap` created them."""
    made_with = read_parameters(subject.account.describe_stack(subject.names.bootstrap_stack))
    if not made_with:
        yield unknown("the account was not set up by `pennyworth bootstrap`")
        return
    try:
        settings = Settings.of(made_with)
    except WrongSetting as wrong:
        yield warning("the account's setup can't be read: {reason}", _OUTDATED, reason=str(wrong))
        return
    # another version of this project may write other documents, which is not drift
    said, fix = (
        (warning, _OUTDATED)
        if _is_outdated(subject.account, subject.names.bootstrap_stack, settings["Issuer"])
        else (unhealthy, _AGAIN)
    )
    found = list(find_drifts(subject.account, settings))
    for one in found:
        told = "changed" if "\n" in one.detail else one.detail
        yield said(
            "{what}: {told}", f"{fix} `pennyworth doctor` shows the differences.", what=one.what, told=told
        )
    if not found:
        yield ok("roles, policies and permissions boundaries are unchanged")


def _is_outdated(account: Account, stack: str, issuer: str) -> bool:
    """Return whether a bootstrap stack was made from another version of policies/bootstrap.yaml."""
    cloudformation = account.client("cloudformation")
    made = cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return bool(made != read_template(issuer))


def find_trust_problems(
    document: Mapping[str, Any], repository: str = "", issuer: str = ISSUER
) -> Iterator[str]:
    """Find problems in a deploy role's trust policy.

    https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws

    Args:
        document: the trust policy.
        repository: the only repository that may be trusted, OWNER/NAME. Empty: any repository.
        issuer: the issuer of GitHub's tokens.
    Yields:
        each problem, in words.
    """
    allowing = [one for one in as_list(document.get("Statement", [])) if one.get("Effect") == "Allow"]
    if not allowing:
        yield "it trusts nobody, so no deployment can assume the role"
    for statement in allowing:
        principal = statement.get("Principal")
        federated = as_list(principal.get("Federated", [])) if isinstance(principal, Mapping) else []
        others = not isinstance(principal, Mapping) or set(principal) != {"Federated"}
        if others or not all(str(one).endswith(f":oidc-provider/{issuer}") for one in federated):
            yield "others than GitHub runs can also assume the role"
            continue
        conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition", {})
        if any(operator.lower().startswith("forallvalues") for operator in conditions):
            yield "ForAllValues also accepts tokens without the claim"
        exact = {key.lower(): value for key, value in conditions.get("StringEquals", {}).items()}
        if as_list(exact.get(f"{issuer}:aud".lower(), [])) != [AUDIENCE]:
            yield f"StringEquals does not restrict aud to {AUDIENCE}"
        subjects = [str(one) for one in as_list(exact.get(f"{issuer}:sub".lower(), []))]
        if not subjects:
            yield "StringEquals does not restrict sub to this repository's runs"
        for one in subjects:
            yield from _find_subject_problems(one, repository)


def _find_subject_problems(subject: str, repository: str) -> Iterator[str]:
    # since July 2026 GitHub may append IDs to the names: repo:OWNER@1/NAME@2:ref:refs/heads/main
    parts = re.fullmatch(r"repo:([^/:@]+)(?:@\d+)?/([^/:@]+)(?:@\d+)?:(.+)", subject)
    if "*" in subject or "?" in subject:
        yield f"{subject} contains a wildcard"
    elif not parts:
        yield f"{subject} does not name a repository with a branch or an environment"
    elif repository and f"{parts[1]}/{parts[2]}".lower() != repository.lower():
        yield f"{subject} is another repository"
    elif parts[3] == "pull_request":
        yield f"{subject} lets everyone who can open a pull request deploy"
