"""Read the template and the configuration as CloudFormation, IAM and the gateway will. Calls nothing in AWS."""

import os
from pathlib import Path

from pennyworth.checks.config import Report, Severity, render
from pennyworth.checks.template_check import TemplateReport
from pennyworth.gateway.credentials import PROVIDER_CREDENTIALS
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.deploy.validation import (
    Inputs,
    validate_configuration,
    validate_parameters,
    validate_template,
)

TITLE = "Template and configuration"

_ANNOTATE = {Severity.ERROR: actions.error, Severity.WARNING: actions.warning}


def run(environ: dict[str, str]) -> str:
    """Check a configuration and a template.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was checked.
    Raises:
        OperationFailed: with what was found.
    """
    inputs = Inputs.of(environ)
    validate_parameters(inputs)
    report = validate_configuration(inputs)
    _annotate(report)
    _check(report, strict=inputs.strict)
    if inputs.pinned:
        return f"The template is the one of `{inputs.pinned}`, which its own tests check. {_describe(report)}"
    template = validate_template(inputs)
    _tell(template)
    template.check()
    return (
        "`sam validate` and `cfn-lint` have nothing to say, and the deploy role's policies hold what the template"
        f" needs. {_describe(report)}"
    )


def _annotate(report: Report) -> None:
    """Show each finding at its line, on the run's page and in the commit's diff."""
    with actions.group("config check"):
        actions.say(render.as_text(report))
    for finding in report.findings:
        if annotate := _ANNOTATE.get(finding.severity):
            of_credentials = finding.place.startswith(PROVIDER_CREDENTIALS)  # which are in no file
            file = "" if of_credentials else _file(report)
            annotate(finding.place or "Configuration", render.explain(finding), file, finding.line)


def _check(report: Report, *, strict: bool) -> None:
    if report.failed(strict=strict):
        file = _file(report)
        raise OperationFailed(
            f"{file or 'The configuration'} can't be deployed",
            f"{render.summarize(report)} `pennyworth config check {file}` says the same on your machine.",
            render.render_findings(report),
        )


def _tell(template: TemplateReport) -> None:
    with actions.group("policies"):
        if not template.refusal:
            actions.say("\n".join(template.lacking) or "They hold what the template needs.")
    with actions.group("sam validate --lint"):
        actions.say(template.sam.rstrip())


def _file(report: Report) -> str:
    return os.path.relpath(report.file) if report.file else ""


def _describe(report: Report) -> str:
    named = f"`{Path(report.file).name}`" if report.file else "Without a configuration file"
    return f"{named}: {render.as_markdown(report)}"
