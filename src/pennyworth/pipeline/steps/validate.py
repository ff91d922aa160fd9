"""Read the template and the configuration as CloudFormation and the gateway will. Calls nothing in AWS."""

import os
import subprocess
import sys
from pathlib import Path

from pennyworth.gateway.settings import spread
from pennyworth.host.places import ROOT
from pennyworth.pipeline import workflow
from pennyworth.pipeline.config_check import Report, Severity, StackSettings, check, render
from pennyworth.pipeline.steps.build import configuration_file

TITLE = "Template and configuration"

_ANNOTATE = {Severity.ERROR: workflow.error, Severity.WARNING: workflow.warning}


def run(environ: dict[str, str]) -> str:
    """Check a configuration and a template.

    Args:
        environ: CONFIG, a LiteLLM configuration, by default the workspace's config.yaml if there is one;
            PROVIDER_CREDENTIALS, the variables that it finds; STRICT, true where its warnings are errors;
            LITELLM_MODEL_PROVIDER, BEDROCK_ACCESS, PYTHON_RUNTIME, MEMORY_SIZE and LITELLM_LANE, as the stack will
            have them; TEMPLATE, the template's path, the project's own by default; AWS_REGION, whose resource types
            it may use.
    Returns:
        what was checked.
    Raises:
        StepFailed: with what was found.
    """
    credentials = {"PROVIDER_CREDENTIALS": environ.pop("PROVIDER_CREDENTIALS", "")}
    spread(credentials)
    report = check(configuration_file(environ), credentials, StackSettings.from_environ(environ))
    _announce(report, strict=environ.get("STRICT") == "true")
    _check_template(environ)
    return f"`cfn-lint` and `sam validate --lint` have nothing to say. {_about(report)}"


def _announce(report: Report, *, strict: bool) -> None:
    """Show each finding at its line, on the run's page and in the commit's diff."""
    file = os.path.relpath(report.file) if report.file else ""
    with workflow.group("config check"):
        workflow.say(render.as_text(report))
    for finding in report.findings:
        if annotate := _ANNOTATE.get(finding.severity):
            annotate(finding.place or "Configuration", finding.message, file, finding.line)
    if report.failed(strict=strict):
        raise workflow.StepFailed(
            f"{file or 'The configuration'} can't be deployed",
            f"{render.verdict(report)} `pennyworth config check {file}` says the same on your machine.",
            render.findings(report),
        )


def _about(report: Report) -> str:
    named = f"`{Path(report.file).name}`" if report.file else "Without a configuration file"
    return f"{named}: {render.as_markdown(report)}"


def _check_template(environ: dict[str, str]) -> None:
    template = environ.get("TEMPLATE") or str(ROOT / "template.yaml")
    region = workflow.required(environ, "AWS_REGION")
    tools = f"{sys.prefix}/bin"
    checks = {
        "cfn-lint": [f"{tools}/cfn-lint", "--regions", region, "--", template],
        "sam validate --lint": [f"{tools}/sam", "validate", "--lint", "--template", template],
    }
    for name, command in checks.items():
        with workflow.group(name):
            done = subprocess.run(
                command,
                env=environ | {"AWS_REGION": region, "SAM_CLI_TELEMETRY": "0"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            workflow.say(done.stdout.rstrip())
        if done.returncode:
            raise workflow.StepFailed(
                f"{name} refuses the template", "Mend what it names, then push again.", done.stdout
            )
