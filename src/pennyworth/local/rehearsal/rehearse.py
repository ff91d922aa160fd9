"""Rehearse a deployment: from a push on GitHub to an endpoint that answers, all of it on this machine.

One run of the deployment workflow in a repository and an account made for it. See `Repository` for more than one.
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
    """Run the deployment workflow against a local AWS whose deploy role trusts REPOSITORY's branch BRANCH.

    Args:
        aws: the local AWS, with auth.
        event: what starts it.
        repository: OWNER/NAME of the repository that the run's token is for.
        branch: the branch that it is for.
        immutable: whether GitHub's ids stand in `sub`, on both sides.
        credentials: what the repository's secrets hold: the deploy role's ARN, a user's static keys, or both.
        config: the repository's config.yaml; by default one whose model answers.
        called: let the workflow lie in another repository, CALLED, and this one hold what `pennyworth init` writes.
        inputs: a dispatch's.
        without: secrets that the repository lacks.
        online: fetch the actions of others instead of using stand-ins.
        masked: replace secrets by *** in the log, as GitHub does.
        report: is told of each step as it ends.
    Raises:
        Unprepared: the account could not be made ready.
        act.ActFailed: the workflow could not be run.
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
