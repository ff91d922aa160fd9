"""Whose token opens which role, as the evaluator judges it, and the local AWS's STS independently of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pennyworth.iam.policy.documents import DEPLOY_ROLE, VIEW_ROLE, render_document
from pennyworth.iam.settings import Settings
from pennyworth.local.aws.server import LocalAws

from . import lifecycle
from .account import OWN_ROLE, PULL_REQUEST, REGION, REPOSITORY, SUBJECT, VALUES, iam
from .evaluator import Context, Evaluator
from .lifecycle import AUDIENCE, ISSUER

BRANCH = "repo:{}:ref:refs/heads/main"
CLASSIC = SUBJECT
IMMUTABLE = BRANCH.format("owner@1234/repository@5678")
ENVIRONMENT = f"repo:{REPOSITORY}:environment:production"


@dataclass(frozen=True)
class Token:
    """What a token says."""

    subject: str | None = CLASSIC
    audience: str | None = AUDIENCE
    issuer: str = ISSUER

    @property
    def claims(self) -> Context:
        named = {f"{self.issuer}:sub": self.subject, f"{self.issuer}:aud": self.audience}
        return {name: value for name, value in named.items() if value is not None}


TRUSTED = {
    "the branch": Token(),
    "the branch, in the immutable form": Token(IMMUTABLE),
    "the environment": Token(ENVIRONMENT),
}

STRANGERS = {
    "another branch": Token(BRANCH.format(REPOSITORY).replace("main", "other")),
    "a branch whose name begins with ours": Token(f"{CLASSIC}-2"),
    "a branch below ours": Token(f"{CLASSIC}/2"),
    "a branch that ends with our name": Token(BRANCH.format(REPOSITORY).replace("main", "not/main")),
    "a branch in another case": Token(CLASSIC.replace("main", "Main")),
    "a tag of the branch's name": Token(CLASSIC.replace("heads", "tags")),
    "a pull request": Token(f"repo:{REPOSITORY}:pull_request"),
    "a pull request's merge": Token(f"repo:{REPOSITORY}:ref:refs/pull/1/merge"),
    "a fork": Token(BRANCH.format("somebody/repository")),
    "a fork's pull request": Token("repo:somebody/repository:pull_request"),
    "a repository whose name begins with ours": Token(BRANCH.format("owner/repository2")),
    "a repository whose name ends with ours": Token(BRANCH.format("owner/a-repository")),
    "an owner whose name begins with ours": Token(BRANCH.format("owner2/repository")),
    "an owner whose name ends with ours": Token(BRANCH.format("a-owner/repository")),
    "the owner in another case": Token(BRANCH.format("Owner/repository")),
    "the repository in another case": Token(BRANCH.format("owner/Repository")),
    "an owner of the same name with another id": Token(IMMUTABLE.replace("1234", "4321")),
    "a repository of the same name with another id": Token(IMMUTABLE.replace("5678", "8765")),
    "another environment": Token(ENVIRONMENT.replace("production", "staging")),
    "an environment of the branch's name": Token(f"repo:{REPOSITORY}:environment:main"),
    "another repository's environment": Token("repo:somebody/repository:environment:production"),
    "no branch": Token(f"repo:{REPOSITORY}"),
    "an asterisk": Token("*"),
    "an asterisk for the branch": Token(f"repo:{REPOSITORY}:*"),
    "an asterisk for the repository": Token(BRANCH.format("owner/*")),
    "question marks": Token(CLASSIC.replace("main", "????")),
    "a placeholder": Token("${SUBJECT}"),
    "blanks around the subject": Token(f" {CLASSIC} "),
    "an empty subject": Token(""),
    "no subject": Token(subject=None),
    "no audience": Token(audience=None),
    "an empty audience": Token(audience=""),
    "neither subject nor audience": Token(subject=None, audience=None),
    "GitHub's audience where none is asked for": Token(audience="https://github.com/owner"),
    "another cloud's audience": Token(audience="api://AzureADTokenExchange"),
    "China's audience": Token(audience="sts.amazonaws.com.cn"),
    "the audience in another case": Token(audience="STS.amazonaws.com"),
    "another issuer": Token(issuer="gitlab.com"),
    "an enterprise's own issuer": Token(issuer=f"{ISSUER}/octo-enterprise"),
    "an issuer whose name ends with GitHub's": Token(issuer=f"evil-{ISSUER}"),
}

EVERY = {**TRUSTED, **STRANGERS}


LOOKING = {"a pull request", "the branch", "the branch, in the immutable form", "the environment"}
"""Who may take the view role: whoever may deploy, and the repository's own pull requests. A fork's run has the fork's
name in its subject, and GitHub gives it no token besides."""


def let_in(evaluator: Evaluator, token: Token, *subjects: str) -> bool:
    """Whether the evaluator lets a token in where the role trusts these subjects."""
    trust = render_document("trust", {**VALUES, "SUBJECTS": list(subjects)})
    provider = iam(f"oidc-provider/{token.issuer}")
    request = ("sts:AssumeRoleWithWebIdentity", OWN_ROLE, token.claims)
    return evaluator.decide(provider, *request, resource_policy=trust).allowed


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("trusted", TRUSTED)
def test_one_subject_is_let_in_and_no_other(evaluator: Evaluator, trusted: str, name: str) -> None:
    subject = TRUSTED[trusted].subject
    assert subject
    assert let_in(evaluator, EVERY[name], subject) is (name == trusted)


@pytest.mark.parametrize("name", EVERY)
def test_several_subjects_are_let_in_together_and_no_other(evaluator: Evaluator, name: str) -> None:
    subjects = [token.subject for token in TRUSTED.values() if token.subject]
    assert let_in(evaluator, EVERY[name], *subjects) is (name in TRUSTED)


@pytest.mark.parametrize("name", EVERY)
def test_pull_requests_may_look_and_not_deploy(evaluator: Evaluator, name: str) -> None:
    settings = Settings.of(
        {
            "Repository": REPOSITORY,
            "RepositoryOwnerId": "1234",
            "RepositoryId": "5678",
            "Environment": "production",
            "Region": REGION,
        }
    )
    pull_request = {PULL_REQUEST, PULL_REQUEST.replace(REPOSITORY, "owner@1234/repository@5678")}
    assert set(settings.list_view_subjects()) - set(settings.list_subjects()) == pull_request
    assert let_in(evaluator, EVERY[name], *settings.list_subjects()) is (name in TRUSTED)
    assert let_in(evaluator, EVERY[name], *settings.list_view_subjects()) is (name in LOOKING)


def test_nobody_comes_in_by_another_call(evaluator: Evaluator) -> None:
    trust = render_document("trust", VALUES)
    for action in ("sts:AssumeRole", "sts:TagSession", "sts:AssumeRoleWithSAML"):
        for principal in (iam("role/admin"), iam("user/someone")):
            assert not evaluator.decide(principal, action, OWN_ROLE, resource_policy=trust).allowed


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with lifecycle.local_account() as (aws, _):
        yield aws


@pytest.mark.parametrize("name", EVERY)
def test_the_local_sts_agrees(aws: LocalAws, name: str) -> None:
    token = EVERY[name]
    assert assumed(aws, token) is (name == "the branch")
    assert assumed(aws, token, VIEW_ROLE) is (name in {"the branch", "a pull request"})


def assumed(aws: LocalAws, token: Token, role: str = DEPLOY_ROLE) -> bool:
    """Whether the local STS lets a token in."""
    try:
        given: dict[str, Any] = lifecycle.credentials(
            aws, lifecycle.token(token.subject, token.audience, token.issuer), role
        )
    except ClientError as refused:
        assert refused.response["Error"]["Code"] in {"AccessDenied", "InvalidIdentityToken"}, refused
        return False
    return bool(given)
