"""`credential_list`: credentials that several models share by name.

https://docs.litellm.ai/docs/proxy/configs#centralized-credential-management
"""

from collections.abc import Mapping
from typing import Any

from pennyworth.gateway.fallbacks import Problem

NAME = "litellm_credential_name"
Values = Mapping[str, Any]
"""Parameters such as api_key, as they stand in the file."""


def read_credential_list(document: Mapping[str, Any]) -> tuple[dict[str, Values], list[Problem]]:
    """Read a config file's credentials by their names, and what is wrong with them."""
    named: dict[str, Values] = {}
    problems: list[Problem] = []
    entries = document.get("credential_list") or []
    if not isinstance(entries, list):
        return {}, [("credential_list: a list is expected", ("credential_list",))]
    for index, entry in enumerate(entries):
        name = entry.get("credential_name") if isinstance(entry, Mapping) else None
        values = entry.get("credential_values") if isinstance(entry, Mapping) else None
        if isinstance(name, str) and isinstance(values, Mapping):
            named.setdefault(name, values)
        else:
            place = ("credential_list", index)
            problems.append(
                (f"credential_list[{index}]: credential_name and credential_values are expected", place)
            )
    return named, problems


def add_credential(params: Mapping[str, Any], named: Mapping[str, Values]) -> Mapping[str, Any]:
    """A model's parameters with those of the credential that it names; its own win.

    Raises:
        KeyError: there is none of that name.
    """
    if not params.get(NAME):
        return params
    return {**named[str(params[NAME])], **{key: value for key, value in params.items() if key != NAME}}
