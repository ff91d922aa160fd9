"""The results of the checks, and their formats: a line, a Markdown table, JSON and JUnit XML."""

import json
import re
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from xml.etree import ElementTree

from pennyworth.checks.smoke.checks import get_title

Status = Literal["passed", "failed", "skipped"]
MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "skipped": "-"}

_UNREPRESENTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML can't contain: https://www.w3.org/TR/xml/#charsets."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check."""

    check: str
    model: str | None
    """The model that was asked; None if the check asks none."""
    status: Status
    seconds: float
    detail: str
    """What the check found, why it failed and what to do next, or why it was skipped."""


def all_passed(results: Sequence[Result]) -> bool:
    """Return whether no check failed."""
    return all(result.status != "failed" for result in results)


def summarize(results: Sequence[Result]) -> str:
    """Return how many checks passed, failed and were skipped, such as "9 passed, 2 skipped"."""
    counts = Counter(result.status for result in results)
    return ", ".join(f"{counts[status]} {status}" for status in MARKS if counts[status])


def format_line(result: Result) -> str:
    """Return a result as one line of text."""
    detail = f": {result.detail}" if result.detail else ""
    time = "" if result.status == "skipped" else f" {result.seconds:.1f} s"
    return f"{MARKS[result.status]} {get_title(result.check, result.model)}{detail}{time}"


def as_json(results: Sequence[Result]) -> str:
    """Return the results as a JSON document."""
    return json.dumps(
        {"ok": all_passed(results), "results": [asdict(result) for result in results]}, indent=2
    )


def as_markdown(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table."""
    rows = ["| | check | model | time | |", "|---|---|---|---:|---|"]
    for result in results:
        detail = result.detail.replace("|", "\\|").replace("\n", " ")
        model = f"`{result.model}`" if result.model else ""
        time = "" if result.status == "skipped" else f"{result.seconds:.2f} s"
        rows.append(
            f"| {MARKS[result.status]} | {get_title(result.check, None)} | {model} | {time} | {detail} |"
        )
    return "\n".join(rows)


def as_junit(results: Sequence[Result], properties: Mapping[str, str]) -> str:
    """Return the results as JUnit XML, to be written as UTF-8.

    It is valid for both common schemas: Ant's (https://github.com/windyroad/JUnit-Schema) and Jenkins's
    (https://github.com/jenkinsci/xunit-plugin, junit-10.xsd).

    Args:
        results: the results, in the order of the checks. The last check must have ended just now.
        properties: what was tested, by name.
    """
    counts = Counter(result.status for result in results)
    seconds = sum(result.seconds for result in results)
    began = datetime.now(UTC) - timedelta(seconds=seconds)
    root = ElementTree.Element("testsuites")  # Ant's schema allows no attributes here
    told = {
        "name": "pennyworth.smoke",
        "package": "pennyworth",
        "id": "0",
        "timestamp": f"{began:%Y-%m-%dT%H:%M:%S}",
        "hostname": socket.gethostname() or "localhost",
        "tests": str(len(results)),
        "failures": str(counts["failed"]),
        "errors": "0",
        "skipped": str(counts["skipped"]),
        "time": f"{seconds:.3f}",
    }
    suite = ElementTree.SubElement(root, "testsuite", told)
    listed = ElementTree.SubElement(suite, "properties")
    for name, value in properties.items():
        ElementTree.SubElement(listed, "property", name=name, value=_clean(value))
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=_clean(get_title(result.check, result.model)),
            classname=f"pennyworth.smoke.{result.check}",
            time=f"{result.seconds:.3f}",
        )
        if result.status == "failed":
            failure = ElementTree.SubElement(case, "failure", type="Failure", message=_clean(result.detail))
            failure.text = _clean(result.detail)
        elif result.status == "skipped":
            ElementTree.SubElement(case, "skipped", message=_clean(result.detail))
    seen = (
        f"{get_title(result.check, result.model)}: {result.detail}" for result in results if result.detail
    )
    ElementTree.SubElement(suite, "system-out").text = _clean("\n".join(seen))
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _clean(text: str) -> str:
    return _UNREPRESENTABLE.sub("\ufffd", text)
