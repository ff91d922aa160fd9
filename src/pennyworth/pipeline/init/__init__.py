"""An endpoint in a repository of one's own: two files, and what is left to do. Needs PyYAML."""

from pennyworth.pipeline.init.files import CONFIG, WORKFLOW, Answers, config, workflow, workflow_problems
from pennyworth.pipeline.init.source import Source, Unknown, source

__all__ = [
    "CONFIG",
    "WORKFLOW",
    "Answers",
    "Source",
    "Unknown",
    "config",
    "source",
    "workflow",
    "workflow_problems",
]
