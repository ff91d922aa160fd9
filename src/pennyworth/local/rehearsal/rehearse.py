"""Rehearses a deployment on this machine: from a push to GitHub to an endpoint that answers.

Runs the deployment workflow once, in a new repository and account. For several runs, see `Repository`.
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Literal

from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.repository import (
    BRANCH,
    CALLED,
    CALLER,
    DOMAIN,
    REGION,
    REPOSITORY,
    ROLE,
    STACK,
    WORKFLOW,
    Event,
    Rehearsal,
    Repository,
    Unprepared,
)

__all__ = [
    "BRANCH",
    "CALLED",
    "CALLER",
    "DOMAIN",
    "REGION",
    "REPOSITORY",
    "ROLE",
    "STACK",
    "WORKFLOW",
    "Rehearsal",
    "Unprepared",
    "rehearse",
]


def rehearse(
    aws: LocalAws,
    *,
    event: Event = "push",
    repository: str = REPOSITORY,
    branch: str = BRANCH,
    immutable: bool = False,
    credentials: Literal["role", "keys", "both"] = "role",
    config: str = "",
    called: bool = False,
    inputs: Mapping[str, str] = MappingProxyType({}),
    without: Collection[str] = (),
    online: bool = False,
    masked: bool = True,
    report: Callable[[act.Step], None] = lambda _: None,
) -> Rehearsal:
    """Run the deployment workflow against a local AWS whose deploy role trusts BRANCH of REPOSITORY.

    Args:
        aws: the local AWS, with auth.
        event: the event that starts it.
        repository: OWNER/NAME in the run's token.
        branch: the branch in the run's token.
        immutable: whether `sub` contains GitHub's numeric IDs, in the token and the trust policy.
        credentials: which secrets to set: the deploy role's ARN, an IAM user's static keys, or both.
        config: the repository's config.yaml. Default: one with a model that answers.
        called: whether the workflow is in another repository, CALLED, and this one has the files of `pennyworth
            init`.
        inputs: the inputs of a workflow_dispatch.
        without: secrets to leave out.
        online: whether to fetch other projects' actions instead of using stand-ins.
        masked: whether to replace secrets with *** in the log, as GitHub does.
        report: called with each step when it ends.
    Raises:
        Unprepared: the account could not be set up.
        act.ActFailed: act could not run the workflow.
    """
    with Repository(aws, immutable=immutable, credentials=credentials, called=called) as made:
        if config:
            made.write("config.yaml", config)
        for name in without:
            made.secrets.pop(name, None)
        return made.run(
            event=event,
            repository=repository,
            branch=branch,
            inputs=inputs,
            online=online,
            masked=masked,
            report=report,
        )
