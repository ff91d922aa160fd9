"""What the checks found, and how it is told: a line, a table, JSON, JUnit's XML."""

import json
import re
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from xml.etree import ElementTree

from pennyworth.checks.smoke.checks import named

Status = Literal["passed", "failed", "skipped"]
MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "skipped": "-"}

_UNREPRESENTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML can't hold: https://www.w3.org/TR/xml/#charsets."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found."""

    check: str
    model: str | None
    """The model that was asked; None where the check asks none."""
    status: Status
    seconds: float
    detail: str
    """What was seen; of a failure, what to do next; why it was skipped."""


def passed(results: Sequence[Result]) -> bool:
    """Whether nothing failed."""
    return all(result.status != "failed" for result in results)


def counted(results: Sequence[Result]) -> str:
    """How many passed, failed and were skipped, such as "9 passed, 2 skipped"."""
    counts = Counter(result.status for result in results)
    return ", ".join(f"{counts[status]} {status}" for status in MARKS if counts[status])


def line(result: Result) -> str:
    """A result as a progress line."""
    detail = f": {result.detail}" if result.detail else ""
    time = "" if result.status == "skipped" else f" {result.seconds:.1f} s"
    return f"{MARKS[result.status]} {named(result.check, result.model)}{detail}{time}"


def as_json(results: Sequence[Result]) -> str:
    """The results as a JSON document, for programs."""
    return json.dumps({"ok": passed(results), "results": [asdict(result) for result in results]}, indent=2)


def as_markdown(results: Sequence[Result]) -> str:
    """The results as a table, for a job summary."""
    rows = ["| | check | model | time | |", "|---|---|---|---:|---|"]
    for result in results:
        detail = result.detail.replace("|", "\\|").replace("\n", " ")
        model = f"`{result.model}`" if result.model else ""
        time = "" if result.status == "skipped" else f"{result.seconds:.2f} s"
        rows.append(f"| {MARKS[result.status]} | {named(result.check, None)} | {model} | {time} | {detail} |")
    return "\n".join(rows)


def as_junit(results: Sequence[Result], properties: Mapping[str, str]) -> str:
    """The results as JUnit's XML, for what shows or counts test results. To be written as UTF-8.

    It fits both schemas in use: Ant's (https://github.com/windyroad/JUnit-Schema) and Jenkins's
    (https://github.com/jenkinsci/xunit-plugin, junit-10.xsd).

    Args:
        results: in the order in which they were found, until just now.
        properties: what was tried, by name.
    """
    counts = Counter(result.status for result in results)
    seconds = sum(result.seconds for result in results)
    began = datetime.now(UTC) - timedelta(seconds=seconds)
    root = ElementTree.Element("testsuites")  # Ant's schema takes no attribute here
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
        ElementTree.SubElement(listed, "property", name=name, value=_text(value))
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=_text(named(result.check, result.model)),
            classname=f"pennyworth.smoke.{result.check}",
            time=f"{result.seconds:.3f}",
        )
        if result.status == "failed":
            failure = ElementTree.SubElement(case, "failure", type="Failure", message=_text(result.detail))
            failure.text = _text(result.detail)
        elif result.status == "skipped":
            ElementTree.SubElement(case, "skipped", message=_text(result.detail))
    seen = (f"{named(result.check, result.model)}: {result.detail}" for result in results if result.detail)
    ElementTree.SubElement(suite, "system-out").text = _text("\n".join(seen))
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _text(text: str) -> str:
    return _UNREPRESENTABLE.sub("\ufffd", text)
