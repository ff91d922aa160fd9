"""A stack's tags, which CloudFormation puts on everything in it that takes tags.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-create-stack.html
"""

import re
from collections.abc import Iterable

from pennyworth.host.errors import OperationFailed

TAGS = "TAGS"
"""The environment variable with tags, one NAME=VALUE a line."""

_MOST = 49
"""AWS takes 50, and SAM adds one to the function."""
_NAME_CHARACTERS, _VALUE_CHARACTERS = 128, 256
_ALLOWED = re.compile(r"[\w .:/=+@-]*")
"""What every service takes: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""


def read_tags(lines: Iterable[str]) -> dict[str, str]:
    """Read tags.

    Args:
        lines: NAME=VALUE, each. Empty lines and those that begin with # count for nothing.
    Returns:
        the values by name.
    Raises:
        OperationFailed: AWS would refuse some. Says which and why.
    """
    tags: dict[str, str] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = (part.strip() for part in text.partition("="))
        wrong += [f"line {number}: {problem}" for problem in _find_problems(name, separator, value, tags)]
        tags[name] = value
    if len(tags) > _MOST:
        wrong.append(f"there are {len(tags)} tags, but AWS takes at most {_MOST} besides SAM's own")
    if wrong:
        raise OperationFailed("The tags can't be used", "Write one NAME=VALUE a line.", "\n".join(wrong))
    return tags


def _find_problems(name: str, separator: str, value: str, before: Iterable[str]) -> Iterable[str]:
    if not separator or not name:
        yield "expected NAME=VALUE"
        return
    if name.lower().startswith("aws:"):
        yield f"{name} begins with aws:, which only AWS itself may use"
    if name.lower() in map(str.lower, before):
        yield f"{name} is set in another line already. IAM does not tell upper case from lower"
    if len(name) > _NAME_CHARACTERS:
        yield f"the name has {len(name)} characters, but AWS takes at most {_NAME_CHARACTERS}"
    if len(value) > _VALUE_CHARACTERS:
        yield f"the value of {name} has {len(value)} characters, but AWS takes at most {_VALUE_CHARACTERS}"
    if not (_ALLOWED.fullmatch(name) and _ALLOWED.fullmatch(value)):
        yield f"{name} has other characters than letters, digits, spaces and _ . : / = + - @"
    if "=" in value:
        yield f"the value of {name} contains =, which sam can't pass on"
