"""Checks a config file and puts the results into a report."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pennyworth.checks.config.catalogue import is_known
from pennyworth.checks.config.facts import Entry, Facts, find_references, gather
from pennyworth.checks.config.lines import Lines, NotYaml
from pennyworth.checks.config.needs import list_needs
from pennyworth.checks.config.report import Finding, Model, Need, Report, Setting, Severity
from pennyworth.checks.config.rules import RULES, check_variables, uses_bedrock_role
from pennyworth.checks.config.stack import FUNCTION_VARIABLES, StackSettings
from pennyworth.gateway.config import ConfigError, read
from pennyworth.gateway.credentials import Problem
from pennyworth.gateway.grades import Grade, Key
from pennyworth.gateway.providers import PROVIDERS

_DEFAULT_PROVIDER = "openai"  # template.yaml's
_WORST_FIRST = (Grade.UNSUPPORTED, Grade.MANUAL, Grade.APPROXIMATE, Grade.HARMLESS, Grade.EXACT)


def check(
    path: Path | None,
    environ: Mapping[str, str],
    stack: StackSettings | None = None,
    *,
    complete: bool = True,
    problems: Sequence[Problem] = (),
) -> Report:
    """Check a configuration.

    Args:
        path: a LiteLLM config file, YAML or JSON. None: the stack's default configuration.
        environ: the environment variables that the gateway will have. Findings never contain their values.
        stack: the stack's settings, as far as they are known.
        complete: whether `environ` contains every variable. If not, missing ones are not reported.
        problems: what is wrong with the text that the variables were read from, to be reported too.
    """
    unusable = [Finding(Severity.ERROR, None, problem.place, problem.message) for problem in problems]
    stack = stack or StackSettings()
    if path is None:
        lines = Lines(None)
        provider = stack.get("ModelProvider") or _DEFAULT_PROVIDER
        document = {"model_list": [{"model_name": "*", "litellm_params": {"model": f"{provider}/*"}}]}
    else:
        try:
            document, lines = read(path), Lines.read(path)
        except (ConfigError, NotYaml) as error:
            return Report(str(path), findings=(*unusable, _explain_unreadable(path, error)))
    environ = dict.fromkeys(FUNCTION_VARIABLES, "set by Lambda") | dict(environ)
    facts = gather(document, lines, environ, stack)
    found = sorted(
        _group(
            finding for rule in RULES if complete or rule is not check_variables for finding in rule(facts)
        ),
        key=lambda finding: (list(Severity).index(finding.severity), finding.line or 0),
    )
    bedrock = any(uses_bedrock_role(entry, facts) for entry in facts.entries)
    return Report(
        file=str(path or ""),
        models=tuple(_describe_model(entry, facts, complete=complete) for entry in facts.entries),
        settings=tuple(_list_settings(facts)),
        findings=(*unusable, *found),
        litellm={"yes": True, "no": False}.get(stack.litellm, facts.config.needs_litellm()),
        parameters={"BedrockAccess": "yes"} if bedrock else {},
    )


def _explain_unreadable(path: Path, error: ConfigError | NotYaml) -> Finding:
    """Explain why a file can't be read, with the line if YAML knows it."""
    try:
        Lines.read(path)
    except NotYaml as found:
        return Finding(Severity.ERROR, found.line, "", str(found))
    except OSError:
        pass
    return Finding(Severity.ERROR, None, "", str(error).removeprefix(f"{path}: "))


def _describe_model(entry: Entry, facts: Facts, *, complete: bool) -> Model:
    deployment = entry.deployment
    named = (
        Need((variable,), str(place[-1]), str(place[-1]), variable in facts.environ)
        for place, variable in find_references(entry.params, (*entry.place, "litellm_params"))
    )
    return Model(
        facts.lines.find(entry.place),
        deployment.name,
        deployment.provider,
        deployment.model,
        deployment.lane,
        _explain_lane(entry),
        tuple(
            replace(need, met=need.met or not complete)
            for need in (*named, *list_needs(deployment, facts.environ, entry.params))
        ),
    )


def _explain_lane(entry: Entry) -> str:
    """Explain why the gateway chose a model's lane."""
    deployment = entry.deployment
    info = entry.raw.get("model_info")
    if isinstance(info, Mapping) and info.get("lane"):
        return "model_info.lane sets it"
    if not deployment.provider:
        return "each request names the provider"
    row = PROVIDERS.get(deployment.provider)
    if row and row.by_choice:
        return (
            f"LiteLLM translates requests for {deployment.provider}, whose OpenAI-compatible API drops fields"
        )
    if deployment.lane == "direct":
        return f"{deployment.provider} is compatible with OpenAI's API"
    if not is_known(deployment.provider):
        return f"LiteLLM knows no provider {deployment.provider}"
    return f"LiteLLM translates requests for {deployment.provider}"


def _list_settings(facts: Facts) -> Iterator[Setting]:
    """Yield the file's keys, those of the same name and fate together, the worst first."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in facts.keys:
        groups.setdefault((key.path, key.row.says), []).append(key)
    for (name, says), keys in sorted(
        groups.items(), key=lambda group: _WORST_FIRST.index(group[1][0].row.grade)
    ):
        lines = dict.fromkeys(line for key in keys if (line := facts.lines.find(key.place)))
        row = keys[0].row
        yield Setting(name, row.grade, says, tuple(lines), len(keys), row.protects)


def _group(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Say once what is to be said of several lines."""
    groups: dict[tuple[Severity, str, str], list[Finding]] = {}
    for finding in findings:
        place = re.sub(r"\[\d+\]", "[]", finding.place)
        groups.setdefault((finding.severity, place, finding.message), []).append(finding)
    for (_, place, _), found in groups.items():
        first, *others = sorted(found, key=lambda finding: finding.line or 0)
        lines = dict.fromkeys(finding.line for finding in others if finding.line not in (None, first.line))
        name = place.removeprefix("model_list[].") if others else first.place
        yield replace(first, place=name, more=tuple(filter(None, lines)))
