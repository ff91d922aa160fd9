"""Checks a template with sam and cfn-lint, and against the deploy role's policies. Makes no calls to AWS."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.source_template import SourceTemplate, TemplateRefused
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.iam.policy import check as policy_check
from pennyworth.iam.policy.derivation import derive_needs
from pennyworth.iam.policy.documents import DEPLOYMENT
from pennyworth.iam.policy.rules import read_rules
from pennyworth.iam.policy.statements import derive_documents
from pennyworth.iam.policy.template import Template

_OF_A_DEPLOYMENT = {*DEPLOYMENT, "first-deployment"}  # the deploy role's documents; the others are read-only


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """The results of checking a template."""

    sam: str
    """The output of `sam validate --lint`."""
    accepted: bool
    """Whether `sam validate --lint` passed."""
    lacking: tuple[str, ...]
    """Permissions that the template needs and the documents in policies/ lack."""
    refusal: TemplateRefused | None = None
    """Why the needed permissions can't be derived, if so."""

    def check(self) -> None:
        """Raise an error if the template can't be deployed.

        Raises:
            OperationFailed: what is wrong, and how to fix it.
        """
        if not self.accepted:
            raise OperationFailed(
                "The template is not valid",
                "Fix what `sam validate --lint` reports, then push again.",
                self.sam,
            )
        if self.refusal:
            raise OperationFailed(
                "The permissions that the template needs can't be derived",
                "Add the resource type in src/pennyworth/iam/policy/, which lists the known ones.",
                str(self.refusal),
            ) from self.refusal
        if self.lacking:
            raise OperationFailed(
                "The deploy role's policies lack permissions that the template needs",
                "Update the documents with `pennyworth policy --write`, then the account with `pennyworth bootstrap`.",
                "\n".join(self.lacking),
            )


def check_template(path: Path, environ: Mapping[str, str]) -> TemplateReport:
    """Check a template with `sam validate --lint`, which runs cfn-lint, and against the policies.

    A template that sam has accepted is not checked with sam again, because that takes ten seconds of processor time.

    Args:
        path: the template.
        environ: the environment variables for sam. AWS_REGION decides which resource types exist.
    """
    known = made("cache", "validated") / _hash_inputs(path, environ.get("AWS_REGION", ""))
    if known.exists():
        lacking, refusal = _compare_policies(path)
        return TemplateReport(known.read_text(encoding="utf-8"), True, lacking, refusal)
    with subprocess.Popen(
        [f"{sys.prefix}/bin/sam", "validate", "--lint", "--template", str(path)],
        env={**environ, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as sam:
        lacking, refusal = _compare_policies(path)
        said, _ = sam.communicate()
    if not sam.returncode:
        whole = known.with_suffix(f".{os.getpid()}")  # another job may read it at the same time
        whole.write_text(said, encoding="utf-8")
        whole.rename(known)
    return TemplateReport(said, not sam.returncode, lacking, refusal)


def _hash_inputs(path: Path, region: str) -> str:
    """A digest of everything that decides what sam and cfn-lint say."""
    digest = hashlib.sha256(f"{sys.prefix} {region}".encode())
    for file in (path, *sorted(path.parent.glob("samconfig.*")), *sorted(Path().glob(".cfnlintrc*"))):
        digest.update(file.read_bytes() if file.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def _compare_policies(path: Path) -> tuple[tuple[str, ...], TemplateRefused | None]:
    """What the policies lack, or why that can't be told."""
    try:
        return tuple(dict.fromkeys(_find_lacking(path))), None
    except TemplateRefused as failure:
        return (), failure


def _find_lacking(path: Path) -> Iterator[str]:
    """Yield the permissions that the template needs and the deploy role's policies lack."""
    known = read_rules()
    template = Template(SourceTemplate.read(path), known)
    found = derive_needs(template, known)
    lacking = policy_check.find_differences(derive_documents(found, known), found, known)
    yield from (str(one) for one in lacking if one.missing and one.document in _OF_A_DEPLOYMENT)
    yield from policy_check.find_needs_outside_boundary(found)
    yield from policy_check.find_roles_outside_boundary(template)
