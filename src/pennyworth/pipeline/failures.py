"""Turns whatever went wrong into a failure that can be shown."""

import os
import sys
import traceback

from pennyworth.github import actions
from pennyworth.github.masking import masked
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.deploy.secret_parameters import find_secrets_in

_REFUSED = (
    "AWS refuses a call",
    "Where it says AccessDenied, `pennyworth bootstrap` brings the role what policies/ has; else run this again.",
)
_EXPIRED = (
    "The AWS credentials have expired",
    "Give the job longer ones: `role-duration-seconds`, up to what `pennyworth bootstrap --max-session-seconds` allows."
    " CloudFormation finishes what it has begun. Run this again after that.",
)


def explain(failure: Exception) -> OperationFailed:
    """Return a failure that can be shown to whoever looks at the run.

    The traceback of what nobody foresaw goes into a group of the log, without the secrets of the environment.

    Args:
        failure: any exception.
    """
    if isinstance(failure, OperationFailed):
        return failure
    aws = sys.modules.get("botocore.exceptions")  # without it, nothing has called AWS
    if aws and isinstance(failure, (aws.ClientError, aws.BotoCoreError)):
        from pennyworth.aws.errors import is_expired

        return OperationFailed(*(_EXPIRED if is_expired(failure) else _REFUSED), str(failure))
    with actions.group("Traceback"):
        actions.say(
            masked("".join(traceback.format_exception(failure)).rstrip(), find_secrets_in(os.environ))
        )
    place = traceback.extract_tb(failure.__traceback__)[-1:]
    where = f" in {place[0].name}, line {place[0].lineno}" if place else ""
    return OperationFailed(
        f"An unexpected error: {type(failure).__name__}",
        "This is a mistake in pennyworth, or of the machine that it runs on. Run this again. If it stays, report it"
        f" with the traceback from the step's log{where}.",
    )
