"""Creates the files for an endpoint in the user's own repository. Needs PyYAML."""

from pennyworth.setup.init.files import CALLERS, CONFIG, Answers, Caller, config, workflow, workflow_problems
from pennyworth.setup.init.source import SourceUnknown, WorkflowSource, find_source

__all__ = [
    "CALLERS",
    "CONFIG",
    "Answers",
    "Caller",
    "SourceUnknown",
    "WorkflowSource",
    "config",
    "find_source",
    "workflow",
    "workflow_problems",
]
