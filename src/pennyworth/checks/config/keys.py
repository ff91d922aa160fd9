"""Judges a file's keys by what becomes of them: the gateway's table says it, and the file may accept a loss."""

from collections.abc import Iterator

from pennyworth.checks.config.catalogue import find_nearest
from pennyworth.checks.config.facts import Facts
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.gateway.endpoints import PRESETS
from pennyworth.gateway.grades import (
    ACKNOWLEDGED,
    SETTINGS,
    Grade,
    Key,
    is_known,
    list_names,
    read_acknowledged,
)

_SEVERITY = {
    Grade.UNSUPPORTED: Severity.WARNING,
    Grade.MANUAL: Severity.WARNING,
    Grade.APPROXIMATE: Severity.NOTE,
}
_SECTIONS = ("general_settings", "litellm_settings", "router_settings", "litellm_params", "")


def check_keys(facts: Facts) -> Iterator[Finding]:
    """Find keys that do not do here what they do with LiteLLM."""
    accepted = read_acknowledged(facts.document)
    for key in facts.keys:
        row = key.row
        severity = _SEVERITY.get(row.grade)
        message = f"{row.grade}: {row.says}"
        if row.protects and key.path in accepted:
            severity, message = Severity.NOTE, f"{message} ({ACKNOWLEDGED})"
        elif row.protects:
            severity = Severity.ERROR
            message += f". Remove it, or accept the loss: add {key.path} to {SETTINGS}.{ACKNOWLEDGED}"
        if severity:
            yield facts.make_finding(severity, key.place, message)
        elif hint := _find_misplaced(key):
            yield facts.make_finding(Severity.WARNING, key.place, hint)


def check_acknowledged(facts: Facts) -> Iterator[Finding]:
    """Find acknowledgments of nothing, and what else the gateway's own section should not contain."""
    protecting = {key.path for key in facts.keys if key.row.protects}
    for path in sorted(read_acknowledged(facts.document) - protecting):
        message = f"'{path}' is no key of this file that protects anything. Remove it"
        yield facts.make_finding(Severity.WARNING, (SETTINGS, ACKNOWLEDGED), message)
    section = facts.document.get(SETTINGS)
    if section is not None and not isinstance(section, dict):
        yield facts.make_finding(Severity.ERROR, (SETTINGS,), "a mapping is expected")
        return
    listed = (section or {}).get(ACKNOWLEDGED, [])
    if not isinstance(listed, list):
        message = "a list of keys is expected, such as [guardrails]"
        yield facts.make_finding(Severity.ERROR, (SETTINGS, ACKNOWLEDGED), message)


def _find_misplaced(key: Key) -> str:
    """Say where an unknown key belongs, or what it may be meant for; empty where nothing is like it."""
    if is_known(key.section, key.name) or key.section == "model_info":
        return ""
    here = "goes to the provider as it is" if key.section == "litellm_params" else "has no effect"
    known = f"LiteLLM knows no such key here, so it {here}"
    if key.section != "litellm_params":  # which takes any
        found = next((where for where in _SECTIONS if key.name in list_names(where)), None)
        if found is not None:
            return (
                f"{known}. It belongs into {found}"
                if found
                else f"{known}. It belongs to the top of the file"
            )
    names = list_names(key.section) | (PRESETS if key.section == "litellm_params" else frozenset())
    meant = None if key.name in names else find_nearest(key.name, names)
    return f"{known}. Did you mean {meant}?" if meant else ""
