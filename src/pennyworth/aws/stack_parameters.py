"""A stack's parameters as somebody sets them, and whether a template takes them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pennyworth.aws.intrinsics import Evaluator
from pennyworth.gateway.dotenv import read_dotenv
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import as_list

PARAMETERS = "PARAMETERS"
"""The environment variable with parameters, one NAME=VALUE a line."""
PARAMETER = "PARAMETER_"
"""What stands before the name of a parameter that has an environment variable of its own."""

HIDDEN = ("ApiKeys", "ProviderCredentials", "AlarmEmail")
"""Parameters that CloudFormation shows to nobody (NoEcho). No line of PARAMETERS may set them."""

_WRONG = "The stack's parameters can't be used"
_DECIDABLE = frozenset({"Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Ref"})
"""Functions in a template's rules that can be decided here. CloudFormation decides all others."""


def read_parameters(environ: Mapping[str, str]) -> dict[str, str]:
    """The parameters that an environment sets, by name: the lines of PARAMETERS, and PARAMETER_NAME for each.

    PARAMETERS is read as an `.env` file is: comments, quotes, and values of several lines in quotes.

    Raises:
        OperationFailed: a line sets nothing, or a secret, or what is set elsewhere already.
    """
    own = {
        name.removeprefix(PARAMETER): value.strip()
        for name, value in environ.items()
        if name.startswith(PARAMETER)
    }
    text = read_dotenv(environ.get(PARAMETERS, ""))
    wrong = [f"line {line}: expected NAME=VALUE" for line in text.broken]
    lines: dict[str, int] = {}
    for variable in text.variables:
        name, place = variable.name, f"line {variable.line}: {variable.name}"
        if name in lines:
            wrong.append(f"{place} is set in line {lines[name]} already")
        elif name in HIDDEN:
            wrong.append(f"{place} is a secret. Set the input {input_of(name)} from a repository secret")
        elif own.get(name):
            wrong.append(f"{place} is set by the input {input_of(name)} already")
        lines.setdefault(name, variable.line)
    if wrong:
        raise OperationFailed(_WRONG, "Write one NAME=VALUE a line into `parameters`.", "\n".join(wrong))
    return own | text.values()


def check_parameters(template: Mapping[str, Any], given: Mapping[str, str], *, rules: bool = True) -> None:
    """Check parameters against a template's declarations and rules, so that nothing begins that CloudFormation refuses.

    Args:
        template: the document that declares them, such as `SourceTemplate.document`.
        given: values by name. An empty one stands for the template's default.
        rules: whether these are all that is given, so that the template's rules can be checked too.
    Raises:
        OperationFailed: the template refuses some. Says which and why, without the values.
    """
    wrong = [*_find_wrong(template, {name: value for name, value in given.items() if value})]
    if rules and not wrong:
        wrong = [*_find_broken_rules(template, given)]
    if wrong:
        raise OperationFailed(
            _WRONG, "docs/configuration.md lists the parameters and their values.", "\n".join(wrong)
        )


def _suggest(name: str, known: Sequence[str]) -> str:
    """Say that there is no such parameter, and which one may be meant."""
    plain = {re.sub(r"[^a-z0-9]", "", one.lower()): one for one in known}
    asked = re.sub(r"[^a-z0-9]", "", name.lower())
    near = difflib.get_close_matches(asked, plain, 1)
    meant = f"Did you mean {plain[near[0]]}?" if near else f"There are {', '.join(sorted(known))}."
    return f"there is no parameter {name}. {meant}"


def _find_wrong(template: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters") or {}
    for name, value in given.items():
        declaration = declared.get(name)
        if declaration is None:
            yield _suggest(name, [*declared])
        elif not _is_allowed(value, declaration):
            yield f"{name} {_describe(declaration)}"


def _is_allowed(value: str, declaration: Mapping[str, Any]) -> bool:
    if declaration.get("Type") not in ("String", "Number"):
        return True  # a list, or the name of something: CloudFormation's to check
    if declaration.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            return False
        low, high = (float(declaration.get(bound, number)) for bound in ("MinValue", "MaxValue"))
        if not low <= number <= high:
            return False
    allowed = [_text(each) for each in as_list(declaration.get("AllowedValues"))]
    pattern = declaration.get("AllowedPattern")
    return (
        (not allowed or value in allowed)
        and (pattern is None or bool(re.fullmatch(pattern, value)))
        and int(declaration.get("MinLength", 0))
        <= len(value)
        <= int(declaration.get("MaxLength", len(value)))
    )


def _describe(declaration: Mapping[str, Any]) -> str:
    """What a value must be, as the second half of a sentence."""
    if constraint := declaration.get("ConstraintDescription"):
        return str(constraint)
    if allowed := as_list(declaration.get("AllowedValues")):
        return f"must be one of {', '.join(map(_text, allowed))}"
    if declaration.get("Type") == "Number":
        bounds = {"MinValue": "at least", "MaxValue": "at most"}
        said = [f"{word} {declaration[bound]}" for bound, word in bounds.items() if bound in declaration]
        return ", ".join(["must be a number", " and ".join(said)] if said else ["must be a number"])
    if pattern := declaration.get("AllowedPattern"):
        return f"must match {pattern}"
    return f"must have {declaration.get('MinLength', 0)} to {declaration.get('MaxLength', 4096)} characters"


class _Rules(Evaluator):
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def look_up(self, name: str) -> Sequence[str] | None:
        return [self._values[name]] if name in self._values else None


def _find_broken_rules(template: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    """What a template's Rules say of the values.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
    """
    declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters") or {}
    defaults = {name: _text(each["Default"]) for name, each in declared.items() if "Default" in each}
    rules = _Rules(defaults | {name: value for name, value in given.items() if value})
    for rule in (template.get("Rules") or {}).values():
        condition = rule.get("RuleCondition")
        if condition is not None and not (_is_decidable(condition) and rules.holds(condition)):
            continue
        for assertion in rule["Assertions"]:
            if _is_decidable(assertion["Assert"]) and not rules.holds(assertion["Assert"]):
                yield str(assertion.get("AssertDescription", assertion["Assert"]))


def _is_decidable(condition: Any) -> bool:
    if isinstance(condition, dict):
        return set(condition) <= _DECIDABLE and all(map(_is_decidable, condition.values()))
    return not isinstance(condition, list) or all(map(_is_decidable, condition))


def input_of(parameter: str) -> str:
    """The action's input that sets a parameter: base-domain for BaseDomain."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", parameter).lower()


def _text(value: Any) -> str:
    """A value of the template's as CloudFormation compares it: YAML reads `true` and numbers."""
    return str(value).lower() if isinstance(value, bool) else str(value)
