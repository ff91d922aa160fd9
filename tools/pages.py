"""Writes the tables of README, docs, actions and workflows from what they describe: `make pages`.

    python3 -m tools.pages [--check]

A table lies below the heading that names its subject. With --check nothing is written, and the exit status is 1 if a
page is out of date.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pennyworth.cli import COMMANDS
from pennyworth.gateway import grades
from pennyworth.gateway.provider import Edit, Provider
from pennyworth.gateway.providers import HARMLESS, PROVIDERS
from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.host.progress import show_anything

TEMPLATE = ROOT / "template.yaml"
BY_SECRET = {
    "BaseDomain": "secret `BASE_DOMAIN`",
    "Route53HostedZoneId": "secret `ROUTE53_HOSTED_ZONE_ID`",
    "AcmCertificateArn": "secret `ACM_CERTIFICATE_ARN`",
    "AlarmEmail": "secret `ALARM_EMAIL`",
    "ModelProvider": "variable `LITELLM_MODEL_PROVIDER`",
    "ApiKeys": "by hand only",
    "ProviderCredentials": "by hand only",
}
"""How the workflows set the parameters that no line of `parameters` sets."""
_REQUIRED = "(required)"
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)

Row = Sequence[str]


def tables() -> dict[tuple[Path, str], str]:
    """Each generated table in Markdown, by its page and the heading above it."""
    template = _read(TEMPLATE)
    found = {
        (ROOT / "docs" / "configuration.md", "Providers of the direct lane"): providers(),
        (ROOT / "docs" / "configuration.md", "Every setting"): settings(),
        (ROOT / "docs" / "configuration.md", "Stack parameters"): parameters(template),
        (ROOT / "docs" / "configuration.md", "Stack outputs"): names("output", template["Outputs"]),
        (ROOT / "README.md", "Stack parameters"): settable_parameters(template),
        (ROOT / "docs" / "commands.md", "All commands"): commands(),
    }
    for path in sorted(ROOT.glob("actions/*/action.yml")):
        document = _read(path)
        page = path.with_name("README.md")
        found[page, "Inputs"] = inputs(document["inputs"])
        if document.get("outputs"):
            found[page, "Outputs"] = names("output", document["outputs"])
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        # YAML reads the key `on` as true
        call = _read(path).get(True, {}).get("workflow_call")
        if call is None:
            continue
        page = path.with_suffix(".md")
        if call.get("inputs"):
            found[page, "Inputs"] = inputs(call["inputs"])
        for kind in ("secret", "output"):
            if declared := call.get(f"{kind}s"):
                found[page, f"{kind.capitalize()}s"] = names(kind, declared)
    return found


def parameters(template: Mapping[str, Any]) -> str:
    """A table of all of a template's parameters."""
    rows = [
        (
            f"`{name}`",
            _default(given),
            _cell(given["Description"]),
            _values(given),
            BY_SECRET.get(name, "`parameters`"),
        )
        for name, given in template["Parameters"].items()
    ]
    return _table(("parameter", "default", "what it does", "values", "set by"), rows)


def settable_parameters(template: Mapping[str, Any]) -> str:
    """A table of the parameters that a line of `parameters` sets."""
    rows = [
        (f"`{name}`", _default(given), _cell(given["Description"]))
        for name, given in template["Parameters"].items()
        if name not in BY_SECRET
    ]
    return _table(("parameter", "default", "what it does"), rows)


def commands() -> str:
    """A table of the commands."""
    return _table(("command", "what it does"), [(f"`{name}`", summary) for name, summary in COMMANDS.items()])


def inputs(declared: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of an action's or a workflow's inputs."""
    rows = []
    for name, given in declared.items():
        default = given.get("default", "")
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        required = _REQUIRED if given.get("required") else ""
        rows.append((f"`{name}`", _cell(given["description"]), required or (f"`{shown}`" if shown else "")))
    return _table(("input", "", "default"), rows)


def names(kind: str, declared: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of outputs or secrets: what has a name and a description."""
    rows = [
        (f"`{name}`", _cell(given.get("description", given.get("Description", ""))))
        for name, given in declared.items()
    ]
    return _table((kind, ""), rows)


def providers() -> str:
    """A table of the providers that speak OpenAI's API, and what is changed for them."""
    rows = [
        (
            f"`{name}`",
            _address(row),
            ", ".join(_credentials(row)) or "`api_key`",
            "; ".join(_changes(row.edit)) or "nothing",
        )
        for name, row in PROVIDERS.items()
    ]
    return _table(("provider", "address", "key", "changed in a request"), rows)


def _address(row: Provider) -> str:
    if row.service:
        return "AWS's in `aws_region_name`"
    return f"`{row.base_url}`" if row.base_url else "yours: `api_base`"


def _credentials(row: Provider) -> Iterator[str]:
    if row.service:
        yield "the function's role"
    yield from (f"`{variable}`" for variable in row.key_variables)


def _changes(edit: Edit) -> Iterator[str]:
    for old, new in (*edit.rename.items(), *edit.roles.items()):
        yield f"`{old}` → `{new}`"
    for name, values in edit.values.items():
        yield from (f"{name}: `{old}` → `{new}`" for old, new in values.items())
    if edit.flatten:
        yield "text parts → one text" + (
            "" if "user" in edit.flatten else f" ({', '.join(sorted(edit.flatten))})"
        )
    refused = edit.lacks & HARMLESS if edit.takes is None else HARMLESS - edit.takes
    if left_out := sorted({*refused, *edit.message_drop, *edit.tool_drop}):
        yield "without " + ", ".join(f"`{name}`" for name in left_out)


def settings() -> str:
    """A table of what becomes of each of LiteLLM's settings."""
    rows = [
        (
            "; ".join(_settings_of(row)),
            f"{row.grade}{', protects' if row.protects else ''}",
            _cell(f"{_LANES.get(row.lane, '')}{row.says}"),
        )
        for row in (*grades.ROWS, *grades.OTHERS.values())
    ]
    return _table(("settings", "grade", ""), rows)


_LANES = {"direct": "direct lane: ", "litellm": "LiteLLM lane: "}


def _settings_of(row: grades.Row) -> Iterator[str]:
    for section, names in row.keys.items():
        where = "in any section: " if section == "*" else f"`{section}`: " if section else ""
        known, _, others = names.partition(" ... ")
        listed = [f"`{name.replace('=', ': ')}`" for name in known.split()]
        yield where + ", ".join([*listed, others] if others else listed)


def rewritten(page: str, heading: str, table: str) -> str:
    """A page with the first table below a heading replaced.

    Raises:
        ValueError: there is no such heading, or no table below it.
    """
    found = re.search(rf"^#+ {re.escape(heading)}\n", page, re.MULTILINE)
    below = found and _TABLE.search(page, found.end())
    if not below:
        raise ValueError(f"there is no table below the heading {heading!r}")
    return page[: below.start()] + table + page[below.end() :]


def main(words: Sequence[str]) -> int:
    """Write the tables, or check them."""
    pages: dict[Path, str] = {}
    for (path, heading), table in tables().items():
        pages[path] = rewritten(pages.get(path) or path.read_text(), heading, table)
    changed = [path for path, text in pages.items() if text != path.read_text()]
    for path in changed:
        print(path.relative_to(ROOT))
        if "--check" not in words:
            path.write_text(pages[path])
    if changed and "--check" in words:
        print("These pages are out of date: run `make pages`.")
        return 1
    return 0


def _read(path: Path) -> dict[Any, Any]:
    if path == TEMPLATE:
        from pennyworth.aws.source_template import SourceTemplate

        return dict(SourceTemplate.read(path).document)
    import yaml

    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def _default(given: Mapping[str, Any]) -> str:
    return f"`{given['Default']}`" if given["Default"] != "" else ""


def _values(given: Mapping[str, Any]) -> str:
    if "AllowedValues" in given:
        return ", ".join(f"`{value}`" for value in given["AllowedValues"])
    if "MinValue" in given:
        return f"{given['MinValue']} to {given['MaxValue']}"
    return _cell(given.get("ConstraintDescription", "").removeprefix("must be "))


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _table(head: Row, rows: Iterable[Row]) -> str:
    line: Callable[[Row], str] = lambda cells: f"| {' | '.join(cells)} |\n"  # noqa: E731
    return "".join([line(head), f"|{'---|' * len(head)}\n", *map(line, rows)])


if __name__ == "__main__":
    show_anything()
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        sys.exit(0)
    tools = environment("tools")
    if Path(sys.prefix).resolve() != tools.parent.resolve():
        # the same program again, where a YAML reader is
        os.execv(tools / "python", [str(tools / "python"), "-m", "tools.pages", *sys.argv[1:]])  # noqa: S606
    sys.exit(main(sys.argv[1:]))
