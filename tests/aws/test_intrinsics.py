"""CloudFormation's intrinsic functions, by those who know all of what a template needs, or some of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pennyworth.aws.intrinsics import NOTHING, Evaluator, Unknown

KNOWN: Mapping[str, Sequence[Any]] = {
    "AWS::NoValue": [NOTHING],
    "Name": ["a"],
    "List": [["x", "y"]],
    "Table.Arn": ["arn:table"],
    "Either": ["one", "two"],
}


class Some(Evaluator):
    """Knows some names, and decides conditions as it is told."""

    def __init__(self, *outcomes: bool) -> None:
        self.conditions = {"Holds": {"Fn::Equals": [{"Ref": "Name"}, "a"]}}
        self.mappings = {"Sizes": {"a": {"memory": 512}}}
        self._outcomes = outcomes

    def look_up(self, name: str) -> Sequence[Any] | None:
        return KNOWN.get(name)

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        return self._outcomes


class All(Some):
    """Decides conditions by what they say."""

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        return (self.holds(condition),)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("text", "text"),
        ({"Ref": "Name"}, "a"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:table"),
        ({"Fn::GetAtt": "Table.Arn"}, "arn:table"),
        ({"Fn::Sub": "${Name}-${Name}-${Table.Arn}-${!Literal}"}, "a-a-arn:table-${Literal}"),
        ({"Fn::Sub": ["${Own}-${Name}", {"Own": {"Ref": "Name"}}]}, "a-a"),
        ({"Fn::Sub": "[${AWS::NoValue}]"}, "[]"),
        ({"Fn::Join": ["-", ["x", {"Ref": "Name"}]]}, "x-a"),
        ({"Fn::Join": ["-", {"Ref": "List"}]}, "x-y"),
        ({"Fn::If": ["Holds", "yes", "no"]}, "yes"),
        ({"Fn::If": [{"Fn::Not": [{"Condition": "Holds"}]}, "yes", "no"]}, "no"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Name"}, "memory"]}, 512),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "y"),
        ({"Fn::Select": [0, {"Fn::Split": ["/", "owner/name"]}]}, "owner"),
        ({"Plain": {"Nested": [{"Ref": "Name"}]}}, {"Plain": {"Nested": ["a"]}}),
        ({"Left": {"Ref": "AWS::NoValue"}, "Kept": [1, {"Ref": "AWS::NoValue"}]}, {"Kept": [1]}),
    ],
)
def test_what_is_known_is_worked_out(value: Any, found: Any) -> None:
    assert All().evaluate(value) == found


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Nobody"},
        {"Fn::GetAtt": ["Nobody", "Arn"]},
        {"Fn::Sub": "${Name}-${Nobody}"},
        {"Fn::Join": ["-", ["x", {"Ref": "Nobody"}]]},
        {"Fn::Split": ["-", {"Ref": "Nobody"}]},
        {"Fn::Select": [7, {"Ref": "List"}]},
        {"Fn::FindInMap": ["Sizes", "b", "memory"]},
        {"Fn::If": ["Holds", "yes", "no"]},
        {"Fn::ImportValue": "elsewhere"},
    ],
)
def test_what_is_not_known_stands_as_it_is_written(value: Any) -> None:
    assert Some().evaluate(value) == Unknown(value)
    assert Some().evaluate({"Beside": "known", "It": value}) == {"Beside": "known", "It": Unknown(value)}


def test_each_branch_and_each_meaning_of_a_name_is_an_alternative() -> None:
    branch = {"Fn::If": ["Holds", {"Ref": "Either"}, "three"]}
    assert Some(True, False).list_alternatives(branch) == ["one", "two", "three"]
    assert Some(True, False).list_alternatives({"Fn::Sub": "${Either}/${Either}"}) == ["one/one", "two/two"]
    assert Some(True, False).list_alternatives({"Fn::Join": ["", ["<", branch, ">"]]}) == [
        "<one>",
        "<two>",
        "<three>",
    ]
    assert Some(True).list_alternatives([branch, "end"]) == [["one", "end"], ["two", "end"]]
