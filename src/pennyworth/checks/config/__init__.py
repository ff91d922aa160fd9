"""Whether a LiteLLM config file will serve: what of it is honoured, where each model goes, and what is missing.

The gateway's own parser judges; what is here finds the lines, and what a parser has no reason to say. Needs PyYAML.
"""

from pennyworth.checks.config.check import check
from pennyworth.checks.config.report import Finding, Report, Severity
from pennyworth.checks.config.stack import READ, StackSettings

__all__ = ["READ", "Finding", "Report", "Severity", "StackSettings", "check"]
