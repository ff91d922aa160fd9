"""Nothing is left in the roles' policies that no call needs: take any part of one away, and some call fails."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from .account import EVERYTHING, VALUES, Role, deploy_role, deployment, view_role
from .calls import Call, derived, recorded
from .evaluator import Document, Evaluator
from .lifecycle import Recorded


@dataclass(frozen=True)
class Poorer:
    """Documents without one action or resource of one statement."""

    lacks: str
    actions: Sequence[str]
    """What may be denied for that."""
    documents: Sequence[Document]


def poorer(documents: Sequence[Document]) -> Iterator[Poorer]:
    """The documents without each of their parts in turn."""
    for place, document in enumerate(documents):
        for number, statement in enumerate(document["Statement"]):
            actions, resources = (
                one if isinstance(one := statement[part], list) else [one] for part in ("Action", "Resource")
            )
            parts = [("Action", actions, one, [one]) for one in actions]
            parts += [("Resource", resources, one, actions) for one in resources]
            for part, values, value, concerned in parts:
                lacking = copy.deepcopy(list(documents))
                if left := [one for one in values if one != value]:
                    lacking[place]["Statement"][number][part] = left
                else:
                    del lacking[place]["Statement"][number]
                yield Poorer(f"{statement.get('Sid', number)}: {value}", concerned, lacking)


def needless(role: Role, calls: Sequence[Call]) -> list[str]:
    """What of a role's policies can go without a call being denied."""
    allowed = [call for call in calls if call.judged(role).allowed]
    return [
        less.lacks
        for less in poorer(role.identity)
        if all(
            call.judged(replace(role, identity=less.documents)).allowed
            for call in allowed
            if any(fnmatchcase(call.action, action) for action in less.actions)
        )
    ]


def test_nothing_is_needless_in_the_policies(evaluator: Evaluator, recorded_calls: Recorded) -> None:
    values = recorded_calls.values
    calls = [*recorded(recorded_calls), *derived(values)]
    assert needless(deploy_role(evaluator, values), calls) == []


def test_nothing_is_needless_in_what_looking_takes(evaluator: Evaluator) -> None:
    looking = view_role(evaluator)
    unbound = replace(looking, boundary=EVERYTHING)  # its own policy is its boundary
    assert needless(unbound, list(derived(VALUES, "view"))) == []


def test_what_is_needless_is_found(evaluator: Evaluator) -> None:
    documents = deployment()
    (functions,) = [
        one
        for document in documents
        for one in document["Statement"]
        if "lambda:CreateFunction" in one["Action"]
    ]
    other = "arn:aws:lambda:us-west-2:123456789012:function:other"
    functions["Action"] = [*functions["Action"], "lambda:InvokeFunction"]
    functions["Resource"] = [functions["Resource"], other]
    calls = [call for call in derived(VALUES) if call.action.startswith("lambda:")]
    found = needless(deploy_role(evaluator, identity=documents), calls)
    assert {f"{functions['Sid']}: lambda:InvokeFunction", f"{functions['Sid']}: {other}"} <= set(found)
    assert f"{functions['Sid']}: lambda:CreateFunction" not in found
