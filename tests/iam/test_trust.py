"""Whose token opens which role, as the evaluator judges it, and the local AWS's STS independently of it."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pennyworth.iam.policy.documents import render_document
from pennyworth.iam.settings import Settings, list_claims
from pennyworth.local.aws.server import LocalAws
from tests.names import DEPLOY_ROLE, VIEW_ROLE

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
            "Subjects": ",".join(list_claims(REPOSITORY, "1234", "5678", ["main"], ["production"])),
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


CALLED = "elsewhere/endpoint/.github/workflows/deploy.yml@0123456789abcdef0123456789abcdef01234567"
HERE = f"{REPOSITORY}/.github/workflows"
MAIN, OTHER = "refs/heads/main", "refs/heads/other"

RUN = {
    "sub": CLASSIC,
    "aud": AUDIENCE,
    "repository": REPOSITORY,
    "repository_id": "5678",
    "repository_owner_id": "1234",
    "ref": MAIN,
    "event_name": "push",
    "workflow_ref": f"{HERE}/pennyworth.yml@{MAIN}",
    "job_workflow_ref": CALLED,
}
"""A run of main that calls the workflow that deploys."""

BOUND = {
    "SUBJECTS": [CLASSIC, IMMUTABLE, ENVIRONMENT],
    "REPOSITORY_ID": "5678",
    "REPOSITORY_OWNER_ID": "1234",
    "WORKFLOWS": [CALLED],
}
"""What a role trusts once the set-up knows the repository's IDs and the workflow."""

OTHER_WORKFLOW = {"workflow_ref": f"{HERE}/other.yml@{MAIN}", "job_workflow_ref": f"{HERE}/other.yml@{MAIN}"}

FORGED: dict[str, dict[str, str | None]] = {
    "another workflow on main": OTHER_WORKFLOW,
    "a comment on an issue": OTHER_WORKFLOW | {"event_name": "issue_comment"},
    "an opened issue": OTHER_WORKFLOW | {"event_name": "issues"},
    "a pull request's target": OTHER_WORKFLOW | {"event_name": "pull_request_target"},
    "a review": OTHER_WORKFLOW | {"event_name": "pull_request_review"},
    "a schedule": OTHER_WORKFLOW | {"event_name": "schedule"},
    "a dispatch": OTHER_WORKFLOW | {"event_name": "workflow_dispatch"},
    "a dispatch by the API": OTHER_WORKFLOW | {"event_name": "repository_dispatch"},
    "the end of another workflow's run": OTHER_WORKFLOW | {"event_name": "workflow_run"},
    "a star": OTHER_WORKFLOW | {"event_name": "watch"},
    "a release": OTHER_WORKFLOW | {"event_name": "release"},
    "another workflow in the environment": OTHER_WORKFLOW | {"sub": ENVIRONMENT, "environment": "production"},
    "another workflow, in the immutable form": OTHER_WORKFLOW | {"sub": IMMUTABLE},
    "the caller's own job beside the call": {"job_workflow_ref": f"{HERE}/pennyworth.yml@{MAIN}"},
    "a workflow of the called one's name": {"job_workflow_ref": f"{HERE}/deploy.yml@{MAIN}"},
    "a dispatch from a branch": {"sub": CLASSIC.replace("main", "other"), "ref": OTHER},
    "a dispatch from a branch, in the environment": OTHER_WORKFLOW
    | {"sub": ENVIRONMENT, "ref": OTHER, "job_workflow_ref": f"{HERE}/pennyworth.yml@{OTHER}"},
    "a dispatch from a tag": {"sub": CLASSIC.replace("heads", "tags"), "ref": "refs/tags/main"},
    "a called workflow of somebody else": {
        "job_workflow_ref": CALLED.replace("elsewhere/endpoint", "somebody/endpoint")
    },
    "a called workflow of another repository": {"job_workflow_ref": CALLED.replace("/endpoint/", "/other/")},
    "another called workflow of the same repository": {
        "job_workflow_ref": CALLED.replace("deploy.yml", "preview.yml")
    },
    "the called workflow at another commit": {"job_workflow_ref": CALLED.replace("@01", "@10")},
    "the called workflow at a branch": {"job_workflow_ref": CALLED.partition("@")[0] + f"@{MAIN}"},
    "the called workflow at a tag": {"job_workflow_ref": CALLED.partition("@")[0] + "@refs/tags/v1"},
    "the called workflow at a short commit": {"job_workflow_ref": CALLED[:-33]},
    "the called workflow in another folder": {"job_workflow_ref": CALLED.replace("/.github", "/x/.github")},
    "the called workflow in another case": {"job_workflow_ref": CALLED.upper()},
    "a workflow whose name begins with the called one's": {"job_workflow_ref": f"{CALLED}-2"},
    "a workflow whose name ends with the called one's": {"job_workflow_ref": f"a-{CALLED}"},
    "an asterisk for the workflow": {"job_workflow_ref": "*"},
    "an empty workflow": {"job_workflow_ref": ""},
    "no workflow": {"job_workflow_ref": None},
    "a repository that was made anew under the name": {"repository_id": "8765"},
    "an owner who took over the name": {"repository_owner_id": "4321", "repository_id": "8765"},
    "another owner's id": {"repository_owner_id": "4321"},
    "no repository id": {"repository_id": None},
    "no owner id": {"repository_owner_id": None},
    "a pull request of the calling workflow": {"sub": PULL_REQUEST, "event_name": "pull_request"},
}
"""What of a run of the same repository differs from RUN."""

GENUINE: dict[str, dict[str, str | None]] = {
    "the branch": {},
    "the branch, in the immutable form": {"sub": IMMUTABLE},
    "the environment": {"sub": ENVIRONMENT, "environment": "production"},
    "a dispatch of the caller": {"event_name": "workflow_dispatch"},
}

TIMES = {
    "expired an hour ago": {"exp": -3600},
    "expired just now": {"exp": -1},
    "not valid yet": {"nbf": 3600},
}


COMPARED = {"sub", "aud", "repository_id", "repository_owner_id", "job_workflow_ref"}


def claims(differing: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**RUN, **differing}.items() if value is not None}


@pytest.mark.parametrize("name", {**GENUINE, **FORGED})
def test_one_workflow_of_the_repository_is_let_in_and_no_other(evaluator: Evaluator, name: str) -> None:
    given = claims({**GENUINE, **FORGED}[name])
    told = {f"{ISSUER}:{claim}": value for claim, value in given.items() if claim in COMPARED}
    provider, trust = iam(f"oidc-provider/{ISSUER}"), render_document("trust", {**VALUES, **BOUND})
    judged = evaluator.decide(
        provider, "sts:AssumeRoleWithWebIdentity", OWN_ROLE, told, resource_policy=trust
    )
    assert judged.allowed is (name in GENUINE)


def test_what_the_set_up_does_not_know_is_left_out() -> None:
    (known,) = render_document("trust", {**VALUES, **BOUND})["Statement"]
    (unknown,) = render_document("trust", {**VALUES, "REPOSITORY_ID": "", "WORKFLOWS": []})["Statement"]
    assert set(known["Condition"]["StringEquals"]) - set(unknown["Condition"]["StringEquals"]) == {
        f"{ISSUER}:{claim}" for claim in ("repository_id", "repository_owner_id", "job_workflow_ref")
    }
    assert unknown["Condition"]["StringEquals"].keys() == {f"{ISSUER}:aud", f"{ISSUER}:sub"}


@pytest.fixture(scope="module")
def bound(aws: LocalAws) -> str:
    """A role that trusts one workflow."""
    lifecycle.client(aws, "iam").create_role(
        RoleName="bound", AssumeRolePolicyDocument=json.dumps(render_document("trust", {**VALUES, **BOUND}))
    )
    return "bound"


@pytest.mark.parametrize("name", {**GENUINE, **FORGED})
def test_the_local_sts_agrees_about_workflows(aws: LocalAws, bound: str, name: str) -> None:
    given = claims({**GENUINE, **FORGED}[name])
    token = lifecycle.token(given.pop("sub"), given.pop("aud"), **given)
    assert opened(aws, token, bound) is (name in GENUINE)


@pytest.mark.parametrize("name", TIMES)
def test_the_local_sts_takes_no_token_out_of_its_time(aws: LocalAws, bound: str, name: str) -> None:
    times = {claim: int(time.time()) + seconds for claim, seconds in TIMES[name].items()}
    given = claims({})
    assert not opened(aws, lifecycle.token(**{**given, "subject": given["sub"], **times}), bound)


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
    return opened(aws, lifecycle.token(token.subject, token.audience, token.issuer), role)


def opened(aws: LocalAws, token: str, role: str) -> bool:
    """Whether the local STS lets a token in, as it is sent."""
    try:
        given: dict[str, Any] = lifecycle.credentials(aws, token, role)
    except ClientError as refused:
        known = {"AccessDenied", "InvalidIdentityToken", "ExpiredTokenException"}
        assert refused.response["Error"]["Code"] in known, refused
        return False
    return bool(given)
