"""The record of a package's origin, made for a deployment."""

import json
from collections.abc import Mapping
from pathlib import Path

from pennyworth.aws.provenance import PARAMETER, UNKNOWN, Provenance
from pennyworth.host.git import ask_git
from pennyworth.pipeline.build.archive import compute_digest
from pennyworth.pipeline.build.sam import ARCHIVE, FUNCTION

_LOCK_DIGITS = 12


def make_provenance(template: Path, deployed: Mapping[str, str]) -> str:
    """Make the record of a built package.

    A package that is deployed already keeps its record: its bytes came from that commit, and a commit that does not
    change them changes nothing in AWS.

    Args:
        template: the built template, beside the package.
        deployed: the stack's parameters; empty if there is no stack.
    Returns:
        the record; empty if the template has no package of this project's beside it.
    """
    archive = template.parent / ARCHIVE
    if not archive.is_file():
        return ""
    digest = compute_digest(archive)
    recorded = Provenance.find(deployed.get(PARAMETER, ""))
    if recorded and recorded.package == digest:
        return str(recorded)
    manifest = json.loads((template.parent / FUNCTION / "build.json").read_text(encoding="utf-8"))
    commit = ask_git(Path.cwd(), "rev-parse", "HEAD") or UNKNOWN
    return str(Provenance(commit, digest, manifest["lock"]["sha256"][:_LOCK_DIGITS]))
