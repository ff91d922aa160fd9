"""Whether a template can be deployed: as sam and cfn-lint read it, and by what the deploy role may do. Calls no AWS."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.source_template import SourceTemplate, TemplateRefused
from pennyworth.host.errors import OperationFailed
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
    """Have sam and, through it, cfn-lint read a template, while the policies are held against it here.

    Args:
        path: the template.
        environ: what sam runs in; AWS_REGION says which resource types there are.
    """
    with subprocess.Popen(
        [f"{sys.prefix}/bin/sam", "validate", "--lint", "--template", str(path)],
        env={**environ, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as sam:
        lacking: tuple[str, ...] = ()
        refusal = None
        try:
            lacking = tuple(dict.fromkeys(_find_lacking(path)))
        except TemplateRefused as failure:
            refusal = failure
        said, _ = sam.communicate()
    return TemplateReport(said, not sam.returncode, lacking, refusal)


def _find_lacking(path: Path) -> Iterator[str]:
    """What policies/ lacks for the deploy role to make what the template holds, before it is refused half-way."""
    known = read_rules()
    template = Template(SourceTemplate.read(path), known)
    found = derive_needs(template, known)
    lacking = policy_check.find_differences(derive_documents(found, known), found, known)
    yield from (str(one) for one in lacking if one.missing and one.document in _OF_A_DEPLOYMENT)
    yield from policy_check.find_needs_outside_boundary(found)
    yield from policy_check.find_roles_outside_boundary(template)
