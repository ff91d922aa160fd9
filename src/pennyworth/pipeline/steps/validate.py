"""Read the template and the configuration as CloudFormation, IAM and the gateway will. Calls nothing in AWS."""

import os
import subprocess
import sys
from pathlib import Path

from pennyworth.checks.config import Report, Severity, StackSettings, check, render
from pennyworth.gateway.settings import expand_credentials
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.iam.policy import check as policy_check
from pennyworth.iam.policy.derivation import needs
from pennyworth.iam.policy.documents import DEPLOYMENT
from pennyworth.iam.policy.rules import rules
from pennyworth.iam.policy.statements import documents_for
from pennyworth.iam.policy.template import Template, TemplateRefused
from pennyworth.pipeline.steps.build import configuration_file

TITLE = "Template and configuration"

_TEMPLATE = ROOT / "template.yaml"

_OF_A_DEPLOYMENT = {*DEPLOYMENT, "first-deployment"}  # the documents; others are for those that only look

_ANNOTATE = {Severity.ERROR: actions.error, Severity.WARNING: actions.warning}


def run(environ: dict[str, str]) -> str:
    """Check a configuration and a template.

    Args:
        environ: CONFIG, a LiteLLM configuration, by default the workspace's config.yaml if there is one;
            PROVIDER_CREDENTIALS, the variables that it finds; CREDENTIALS_KNOWN, false where those are not all, so that
            none is missed; STRICT, true where its warnings are errors;
            LITELLM_MODEL_PROVIDER, BEDROCK_ACCESS, PYTHON_RUNTIME, MEMORY_SIZE and LITELLM_LANE, as the stack will
            have them; TEMPLATE, the template's path, the project's own by default; AWS_REGION, whose resource types
            it may use.
    Returns:
        what was checked.
    Raises:
        OperationFailed: with what was found.
    """
    credentials = {"PROVIDER_CREDENTIALS": environ.pop("PROVIDER_CREDENTIALS", "")}
    expand_credentials(credentials)
    report = check(
        configuration_file(environ),
        credentials,
        StackSettings.from_environ(environ),
        complete=environ.get("CREDENTIALS_KNOWN") != "false",
    )
    _announce(report, strict=environ.get("STRICT") == "true")
    _check_template(environ)
    return (
        "`sam validate` and `cfn-lint` have nothing to say, and the deploy role's policies hold what the template"
        f" needs. {_about(report)}"
    )


def _announce(report: Report, *, strict: bool) -> None:
    """Show each finding at its line, on the run's page and in the commit's diff."""
    file = os.path.relpath(report.file) if report.file else ""
    with actions.group("config check"):
        actions.say(render.as_text(report))
    for finding in report.findings:
        if annotate := _ANNOTATE.get(finding.severity):
            annotate(finding.place or "Configuration", finding.message, file, finding.line)
    if report.failed(strict=strict):
        raise OperationFailed(
            f"{file or 'The configuration'} can't be deployed",
            f"{render.verdict(report)} `pennyworth config check {file}` says the same on your machine.",
            render.findings(report),
        )


def _about(report: Report) -> str:
    named = f"`{Path(report.file).name}`" if report.file else "Without a configuration file"
    return f"{named}: {render.as_markdown(report)}"


def _check_template(environ: dict[str, str]) -> None:
    """Have sam and, through it, cfn-lint read the template, while its policies are checked here."""
    template = environ.get("TEMPLATE") or str(_TEMPLATE)
    region = actions.required(environ, "AWS_REGION")
    with subprocess.Popen(
        [f"{sys.prefix}/bin/sam", "validate", "--lint", "--template", template],
        env=environ | {"AWS_REGION": region, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as sam:
        try:
            _check_policies(Path(template))
            lacking = None
        except OperationFailed as failure:
            lacking = failure
        said, _ = sam.communicate()
    with actions.group("sam validate --lint"):
        actions.say(said.rstrip())
    if sam.returncode:
        raise OperationFailed("sam refuses the template", "Mend what it names, then push again.", said)
    if lacking:
        raise lacking


def _check_policies(path: Path) -> None:
    """See that policies/ lets the deploy role make what the template holds, before it is refused half-way."""
    known = rules()
    with actions.group("policies"):
        try:
            template = Template(path, known)
            found = needs(template, known)
        except TemplateRefused as refused:
            raise OperationFailed(
                "It can't be seen what the template needs of the deploy role",
                "src/pennyworth/pipeline/policy/ says what is known of each resource type.",
                str(refused),
            ) from refused
        lacking = policy_check.differences(documents_for(found, known), found, known)
        problems = [
            *(str(one) for one in lacking if one.lacks and one.document in _OF_A_DEPLOYMENT),
            *policy_check.outside_boundary(found),
            *policy_check.roles_outside_boundary(template),
        ]
        actions.say("\n".join(problems) or "They hold what the template needs.")
    if problems:
        raise OperationFailed(
            "The deploy role's policies lack what the template needs",
            "`pennyworth policy --write` brings the documents up to date, and `pennyworth bootstrap` the account.",
            "\n".join(dict.fromkeys(problems)),
        )
