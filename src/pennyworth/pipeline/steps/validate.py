"""Read the template as CloudFormation will: cfn-lint and `sam validate --lint`. Calls nothing in AWS."""

import subprocess
import sys

from pennyworth.host.places import ROOT
from pennyworth.pipeline import workflow

TITLE = "Template"


def run(environ: dict[str, str]) -> str:
    """Check a template.

    Args:
        environ: TEMPLATE, the template's path, the project's own by default; AWS_REGION, whose resource types it
            may use.
    Returns:
        what was checked.
    Raises:
        StepFailed: with what was found.
    """
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
    return "`cfn-lint` and `sam validate --lint` have nothing to say."
