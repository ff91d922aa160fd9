"""Checks a template with sam and cfn-lint, and against the deploy role's policies. Makes no calls to AWS."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.source_template import TemplateRefused
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import PACKAGE, ROOT, made

_BYTECODE = ".pyc"


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

    A template that sam has accepted is not checked with sam again, because that takes ten seconds of processor time. A
    template that the policies suffice for is not compared with them again, because that takes three.

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


def _compare_policies(path: Path) -> tuple[tuple[str, ...], TemplateRefused | None]:
    """What the policies lack, or why that can't be told."""
    known = made("cache", "permitted") / _hash_comparison(path)
    if known.exists():
        return (), None
    from pennyworth.checks.permission_check import find_lacking  # imports for two seconds

    try:
        lacking = tuple(dict.fromkeys(find_lacking(path)))
    except TemplateRefused as failure:
        return (), failure
    if not lacking:
        known.touch()
    return lacking, None


def _hash_inputs(path: Path, region: str) -> str:
    """A digest of everything that decides what sam and cfn-lint say."""
    configuration = (*sorted(path.parent.glob("samconfig.*")), *sorted(Path().glob(".cfnlintrc*")))
    return _hash(f"{sys.prefix} {region}", (path, *configuration))


def _hash_comparison(path: Path) -> str:
    """A digest of everything that decides what the policies lack: the template, the policies, code and libraries."""
    folders = (ROOT / "policies", PACKAGE / "iam", PACKAGE / "aws", PACKAGE / "checks")
    code = (file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix != _BYTECODE)
    return _hash(sys.prefix, (path, *code))


def _hash(text: str, files: Iterable[Path]) -> str:
    digest = hashlib.sha256(text.encode())
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()
