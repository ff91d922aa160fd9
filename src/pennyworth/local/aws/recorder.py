"""Records the AWS calls that IAM checks: caller, action, resource and condition keys."""

import json
import threading
from collections.abc import Callable
from inspect import BoundArguments
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator, responses


class Recorder:
    """A file with a line of JSON for each call."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._writing = threading.Lock()

    def judged(self, original: Callable[..., Any], bound: BoundArguments) -> Any:
        """Wrap MiniStack's policy evaluation, which gets each call as IAM sees it."""
        refused = original(*bound.args, **bound.kwargs)
        given = bound.arguments
        principal = iam_evaluator.resolve_principal(given["access_key_id"], responses.get_account_id())
        call = {
            "caller": getattr(principal, "arn", None),  # None: an access key that does not exist
            "action": given["iam_action"],
            "resource": given["resource_arn"],
            "region": given["region"],
            "context": {key: value for key, value in (given["service_context"] or {}).items() if value},
            "allowed": refused is None,
        }
        with self._writing:
            self._file.write(json.dumps(call) + "\n")
        return refused
