"""An endpoint in a repository of one's own: its files, and what is left to do. Needs PyYAML."""

from pennyworth.pipeline.init.files import (
    CALLERS,
    CONFIG,
    Answers,
    Caller,
    config,
    workflow,
    workflow_problems,
)
from pennyworth.pipeline.init.source import Source, Unknown, source

__all__ = [
    "CALLERS",
    "CONFIG",
    "Answers",
    "Caller",
    "Source",
    "Unknown",
    "config",
    "source",
    "workflow",
    "workflow_problems",
]
