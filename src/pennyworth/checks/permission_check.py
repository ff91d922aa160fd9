"""Compares the permissions that a template needs with the deploy role's policies. Makes no calls to AWS."""

from collections.abc import Iterator
from pathlib import Path

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.iam.policy import check
from pennyworth.iam.policy.derivation import derive_needs
from pennyworth.iam.policy.documents import DEPLOYMENT
from pennyworth.iam.policy.rules import read_rules
from pennyworth.iam.policy.statements import derive_documents
from pennyworth.iam.policy.template import Template

_OF_A_DEPLOYMENT = {*DEPLOYMENT, "first-deployment"}  # the deploy role's documents; the others are read-only


def find_lacking(path: Path) -> Iterator[str]:
    """Yield the permissions that a template needs and the deploy role's policies lack.

    Args:
        path: the template.
    Raises:
        TemplateRefused: the needed permissions can't be derived.
    """
    known = read_rules()
    template = Template(SourceTemplate.read(path), known)
    found = derive_needs(template, known)
    lacking = check.find_differences(derive_documents(found, known), found, known)
    yield from (str(one) for one in lacking if one.missing and one.document in _OF_A_DEPLOYMENT)
    yield from check.find_needs_outside_boundary(found)
    yield from check.find_roles_outside_boundary(template)
