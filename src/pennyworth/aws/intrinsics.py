"""Evaluate CloudFormation's intrinsic functions, as far as names and conditions are known.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

NOTHING = object()
"""The value of AWS::NoValue. A property or list item with this value is removed."""

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_LITERAL = re.compile(r"\$\{!([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for a value that is known only after a deployment."""

    expression: Any
    """The intrinsic function that returns the value."""


class Evaluator(ABC):
    """Evaluates values. Subclasses define what is known.

    A value may have several alternatives: one for each branch of an undecided condition, and for each value that a name
    may have.
    """

    conditions: Mapping[str, Any] = MappingProxyType({})
    """A template's conditions by name."""
    mappings: Mapping[str, Any] = MappingProxyType({})
    """A template's mappings by name."""

    @abstractmethod
    def look_up(self, name: str) -> Sequence[Any] | None:
        """Look up a name.

        Args:
            name: a parameter, a pseudo parameter, a resource, or an attribute in the form Resource.Attribute.
        Returns:
            the alternatives; None if they are unknown.
        """

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        """List the possible outcomes of a condition; empty if Fn::If should be unknown."""
        return (self.holds(condition),)

    def render_unknown(self, function: str, given: Any) -> Any:
        """Return what stands for a value that can't be evaluated."""
        return Unknown({function: given})

    def evaluate(self, value: Any) -> Any:
        """Evaluate a value that has only one alternative."""
        (found,) = self.list_alternatives(value)
        return found

    def list_alternatives(self, value: Any) -> list[Any]:
        """List all alternatives of a value."""
        if isinstance(value, list):
            return [
                [one for one in chosen if one is not NOTHING]
                for chosen in itertools.product(*map(self.list_alternatives, value))
            ]
        if not isinstance(value, Mapping):
            return [value]
        if len(value) == 1:
            ((name, given),) = value.items()
            if function := _FUNCTIONS.get(name):
                return list(function(self, given))
            if name.startswith("Fn::"):
                return [self.render_unknown(name, given)]
        return [
            {name: one for name, one in zip(value, chosen, strict=True) if one is not NOTHING}
            for chosen in itertools.product(*map(self.list_alternatives, value.values()))
        ]

    def holds(self, condition: Any) -> bool:
        """Evaluate a condition, given by name or as an expression."""
        if isinstance(condition, str):
            return self.holds(self.conditions[condition])
        ((name, given),) = condition.items()
        if name == "Condition":
            return self.holds(given)
        if name == "Fn::Equals":
            left, right = (str(self.evaluate(side)) for side in given)
            return left == right
        if name == "Fn::Not":
            return not self.holds(given[0])
        return (all if name == "Fn::And" else any)(map(self.holds, given))

    def _resolve(self, name: str, function: str, given: Any) -> list[Any]:
        found = self.look_up(name)
        return [self.render_unknown(function, given)] if found is None else list(found)

    def _evaluate_ref(self, given: str) -> list[Any]:
        return self._resolve(given, "Ref", given)

    def _evaluate_get_att(self, given: Any) -> list[Any]:
        name = given if isinstance(given, str) else ".".join(map(str, given))
        return self._resolve(name, "Fn::GetAtt", given)

    def _evaluate_sub(self, given: Any) -> Iterator[Any]:
        text, variables = given if isinstance(given, list) else (given, {})
        names = list(dict.fromkeys(_VARIABLE.findall(text)))
        found = [
            self.list_alternatives(variables[name])
            if name in variables
            else self._resolve(name, "Fn::Sub", given)
            for name in names
        ]
        for chosen in itertools.product(*found):
            if _any_unknown(chosen):
                yield self.render_unknown("Fn::Sub", given)
                continue
            texts = {
                name: "" if one is NOTHING else str(one) for name, one in zip(names, chosen, strict=True)
            }
            replaced = _VARIABLE.sub(lambda match, by=texts: by[match[1]], text)  # type: ignore[misc]
            yield _LITERAL.sub(r"${\1}", replaced)

    def _evaluate_join(self, given: Any) -> Iterator[Any]:
        separator, parts = given
        for chosen in self.list_alternatives(parts):
            if not isinstance(chosen, list):
                yield chosen
            elif _any_unknown(chosen):
                yield self.render_unknown("Fn::Join", given)
            else:
                yield str(separator).join(map(str, chosen))

    def _evaluate_if(self, given: Any) -> Iterator[Any]:
        condition, *branches = given
        outcomes = self.list_outcomes(condition)
        if not outcomes:
            yield self.render_unknown("Fn::If", given)
        for outcome in outcomes:
            yield from self.list_alternatives(branches[0 if outcome else 1])

    def _evaluate_find_in_map(self, given: Any) -> Iterator[Any]:
        for keys in self.list_alternatives(given):
            found: Any = self.mappings
            for key in keys:
                found = found.get(key) if isinstance(found, Mapping) and isinstance(key, str) else None
            if found is None:
                yield self.render_unknown("Fn::FindInMap", given)
            else:
                yield from self.list_alternatives(found)

    def _evaluate_select(self, given: Any) -> Iterator[Any]:
        for at, entries in itertools.product(*map(self.list_alternatives, given)):
            if isinstance(entries, list) and int(at) < len(entries):
                yield entries[int(at)]
            else:
                yield self.render_unknown("Fn::Select", given)

    def _evaluate_split(self, given: Any) -> Iterator[Any]:
        separator, source = given
        for text in self.list_alternatives(source):
            if _any_unknown([text]):
                yield self.render_unknown("Fn::Split", given)
            else:
                yield str(text).split(str(separator))


def _any_unknown(values: Sequence[Any]) -> bool:
    return any(isinstance(one, Unknown) for one in values)


_FUNCTIONS: Mapping[str, Callable[[Evaluator, Any], Iterator[Any] | list[Any]]] = {
    "Ref": Evaluator._evaluate_ref,
    "Fn::GetAtt": Evaluator._evaluate_get_att,
    "Fn::Sub": Evaluator._evaluate_sub,
    "Fn::Join": Evaluator._evaluate_join,
    "Fn::If": Evaluator._evaluate_if,
    "Fn::FindInMap": Evaluator._evaluate_find_in_map,
    "Fn::Select": Evaluator._evaluate_select,
    "Fn::Split": Evaluator._evaluate_split,
}
