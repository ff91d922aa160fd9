"""Check a config file, line by line."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pennyworth.checks.config.facts import Entry, Facts, dotted, gather, references
from pennyworth.checks.config.lines import Lines, NotYaml, Place
from pennyworth.checks.config.needs import needs
from pennyworth.checks.config.report import Finding, Model, Need, Report, Setting, Severity
from pennyworth.checks.config.rules import RULES, asks_for_bedrock, missing_variables, unheeded
from pennyworth.checks.config.stack import FUNCTION_VARIABLES, StackSettings
from pennyworth.gateway.config import ConfigError, read
from pennyworth.gateway.providers import PROVIDERS

_DEFAULT_PROVIDER = "openai"  # template.yaml's


def check(
    path: Path | None,
    environ: Mapping[str, str],
    stack: StackSettings | None = None,
    *,
    complete: bool = True,
) -> Report:
    """Check a configuration.

    Args:
        path: a LiteLLM config file, YAML or JSON; None for what the stack does without one.
        environ: the variables that the gateway will have. Their values reach no finding.
        stack: what is known of the stack.
        complete: whether those are all: else one that is not among them is not missed.
    """
    stack = stack or StackSettings()
    if path is None:
        lines = Lines(None)
        provider = stack.get("ModelProvider") or _DEFAULT_PROVIDER
        document = {"model_list": [{"model_name": "*", "litellm_params": {"model": f"{provider}/*"}}]}
    else:
        try:
            document, lines = read(path), Lines.read(path)
        except (ConfigError, NotYaml) as error:
            return Report(str(path), findings=(_unreadable(path, error),))
    environ = dict.fromkeys(FUNCTION_VARIABLES, "set by Lambda") | dict(environ)
    facts = gather(document, lines, environ, stack)
    findings = sorted(
        (finding for rule in RULES if complete or rule is not missing_variables for finding in rule(facts)),
        key=lambda finding: (list(Severity).index(finding.severity), finding.line or 0),
    )
    bedrock = any(asks_for_bedrock(entry.deployment, facts) for entry in facts.entries)
    return Report(
        file=str(path or ""),
        models=tuple(_model(entry, facts, complete=complete) for entry in facts.entries),
        settings=tuple(_settings(facts)),
        findings=tuple(findings),
        litellm={"yes": True, "no": False}.get(stack.litellm, facts.config.needs_litellm()),
        parameters={"BedrockAccess": "yes"} if bedrock else {},
    )


def _unreadable(path: Path, error: ConfigError | NotYaml) -> Finding:
    """Why a file can't be read. The gateway says so in many words, and does not tell the line by itself."""
    try:
        Lines.read(path)
    except NotYaml as found:
        return Finding(Severity.ERROR, found.line, "", str(found))
    except OSError:
        pass
    return Finding(Severity.ERROR, None, "", str(error).removeprefix(f"{path}: "))


def _model(entry: Entry, facts: Facts, *, complete: bool) -> Model:
    deployment = entry.deployment
    named = (
        Need((variable,), str(place[-1]), str(place[-1]), variable in facts.environ)
        for place, variable in references(entry.params, (*entry.place, "litellm_params"))
    )
    return Model(
        facts.lines.of(entry.place),
        deployment.name,
        deployment.provider,
        deployment.model,
        deployment.lane,
        _reason(entry),
        tuple(
            replace(need, met=need.met or not complete)
            for need in (*named, *needs(deployment, facts.environ))
        ),
    )


def _reason(entry: Entry) -> str:
    """Why a model takes its lane, which the gateway has decided."""
    deployment = entry.deployment
    info = entry.raw.get("model_info")
    if isinstance(info, Mapping) and info.get("lane"):
        return "model_info.lane says so"
    if not deployment.provider:
        return "each request names its provider"
    if deployment.provider == "azure":
        return (
            "Azure's v1 API is OpenAI's"
            if deployment.lane == "direct"
            else "Azure's dated API versions are not OpenAI's; with api_version: v1 it goes directly"
        )
    if deployment.provider in PROVIDERS:
        return f"{deployment.provider} speaks OpenAI's API"
    return f"LiteLLM translates for {deployment.provider}"


def _settings(facts: Facts) -> Iterator[Setting]:
    """Everything in the file but the usual of model_list, and whether it is honoured."""
    for name, value in facts.document.items():
        if name == "model_list":
            continue
        if str(name) in facts.config.ignored or not isinstance(value, Mapping):
            yield _setting(facts, (str(name),), str(name) not in facts.config.ignored)
            continue
        for key in value:
            place = (str(name), str(key))
            yield _setting(facts, place, dotted(place) not in facts.config.ignored)
    for entry in facts.entries:
        without = unheeded(entry)
        for key in entry.params:
            if key != "model":
                yield _setting(facts, (*entry.place, "litellm_params", str(key)), str(key) not in without)
        info: Any = entry.raw.get("model_info")
        for key in info if isinstance(info, Mapping) else ():
            yield _setting(facts, (*entry.place, "model_info", str(key)), key == "lane")


def _setting(facts: Facts, place: Place, honoured: bool) -> Setting:
    return Setting(facts.lines.of(place), dotted(place), honoured)
