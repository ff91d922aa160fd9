"""Render the tables of policies/README.md, which explain each statement in the words of scopes.toml."""

import re
from collections.abc import Iterator, Mapping

from pennyworth.iam.policy.documents import POLICIES
from pennyworth.iam.policy.rules import Rules
from pennyworth.iam.policy.statements import Document

README = POLICIES / "README.md"

_TABLE = re.compile(
    r"(?<=^<!-- statements of )(\S+)\.json -->\n.*?(?=^<!-- end -->$)", re.MULTILINE | re.DOTALL
)


def render_tables(wanted: Mapping[str, Document], rules: Rules) -> dict[str, str]:
    """Render a table of statements for each document.

    Args:
        wanted: the derived documents by name.
        rules: the rules with the reasons for the statements.
    Returns:
        Markdown tables by document name.
    """
    return {
        name: "\n".join(
            (
                "| statement | what for |",
                "|---|---|",
                *(
                    f"| `{one['Sid']}` | {_find_reason(name, one['Sid'], rules)} |"
                    for one in document["Statement"]
                ),
            )
        )
        for name, document in wanted.items()
    }


def _find_reason(document: str, statement: str, rules: Rules) -> str:
    scope = rules.scopes[statement]
    return scope.view_why or scope.why if document == "view" else scope.why


def find_differences(tables: Mapping[str, str]) -> Iterator[str]:
    """Compare tables with those in policies/README.md.

    Args:
        tables: the tables as they should be, by document name.
    Returns:
        a message for each difference.
    """
    text = README.read_text()
    if _replace_tables(tables, text) != text:
        yield "policies/README.md has outdated tables. Run `pennyworth policy --write`"
    for name in tables.keys() - {found[1] for found in _TABLE.finditer(text)}:
        yield f"policies/README.md has no table for {name}.json. Add its `statements of` and `end` comments"


def write(tables: Mapping[str, str]) -> None:
    """Write tables into policies/README.md.

    Args:
        tables: the tables by document name.
    """
    README.write_text(_replace_tables(tables, README.read_text()))


def _replace_tables(tables: Mapping[str, str], text: str) -> str:
    return _TABLE.sub(
        lambda found: f"{found[1]}.json -->\n{tables[found[1]]}\n" if found[1] in tables else found[0], text
    )
