"""Whether a template can be deployed: as sam and cfn-lint read it, and by what the deploy role may do. Calls no AWS."""

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

_OF_A_DEPLOYMENT = {*DEPLOYMENT, "first-deployment"}  # the documents; others are for those that only look


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """What is to be said of a template."""

    sam: str
    """What `sam validate --lint` says."""
    accepted: bool
    """Whether sam takes it."""
    lacking: tuple[str, ...]
    """What the documents in policies/ lack that it needs."""
    refusal: TemplateRefused | None = None
    """Why that can't be told."""

    def check(self) -> None:
        """Check that nothing is wrong.

        Raises:
            OperationFailed: with what is.
        """
        if not self.accepted:
            raise OperationFailed("sam refuses the template", "Fix what it names, then push again.", self.sam)
        if self.refusal:
            raise OperationFailed(
                "It can't be seen what the template needs of the deploy role",
                "src/pennyworth/iam/policy/ says what is known of each resource type.",
                str(self.refusal),
            ) from self.refusal
        if self.lacking:
            raise OperationFailed(
                "The deploy role's policies lack what the template needs",
                "`pennyworth policy --write` brings the documents up to date, and `pennyworth bootstrap` the account.",
                "\n".join(self.lacking),
            )


def check_template(path: Path, environ: Mapping[str, str]) -> TemplateReport:
    """Have sam and, through it, cfn-lint read a template, while the policies are compared with it here.

    What sam has accepted once is not read again, because that takes ten seconds of processor time.

    Args:
        path: the template.
        environ: what sam runs in; AWS_REGION says which resource types there are.
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
    """What policies/ lacks for the deploy role to make what the template holds, before it is refused half-way."""
    known = read_rules()
    template = Template(SourceTemplate.read(path), known)
    found = derive_needs(template, known)
    lacking = policy_check.find_differences(derive_documents(found, known), found, known)
    yield from (str(one) for one in lacking if one.missing and one.document in _OF_A_DEPLOYMENT)
    yield from policy_check.find_needs_outside_boundary(found)
    yield from policy_check.find_roles_outside_boundary(template)
