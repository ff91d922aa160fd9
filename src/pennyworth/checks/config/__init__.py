"""Checks a LiteLLM config file: which settings have an effect, where each model goes, and what is missing.

The gateway's own parser decides what is valid. This package adds line numbers, and checks that a parser has no
reason to make. Needs PyYAML.
"""

from pennyworth.checks.config.check import check
from pennyworth.checks.config.report import Finding, Report, Severity
from pennyworth.checks.config.stack import READ, StackSettings

__all__ = ["READ", "Finding", "Report", "Severity", "StackSettings", "check"]
