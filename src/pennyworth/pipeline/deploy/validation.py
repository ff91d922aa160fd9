"""What a deployment would meet, looked at before it begins: the configuration, and the template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_parameters import check_parameters, read_parameters
from pennyworth.checks.config import Report, StackSettings, check
from pennyworth.checks.template_check import TemplateReport, check_template
from pennyworth.gateway.credentials import PROVIDER_CREDENTIALS, Problem
from pennyworth.gateway.settings import expand_credentials
from pennyworth.github import actions
from pennyworth.github.pinned_source import find_pinned_source
from pennyworth.host.places import ROOT
from pennyworth.pipeline.build.configuration import find_configuration

_TEMPLATE = ROOT / "template.yaml"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is looked at."""

    config: Path | None
    """A LiteLLM configuration; None where a provider alone answers."""
    variables: Mapping[str, str] = field(repr=False)
    """Those that the configuration finds."""
    complete: bool
    """Whether those are all, so that one that is missing is missed."""
    stack: StackSettings
    template: Path
    environ: Mapping[str, str] = field(repr=False)
    """What sam runs in."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with PROVIDER_CREDENTIALS."""
    pinned: str = ""
    """OWNER/NAME@COMMIT if the template is that of a pinned commit, where it is checked already."""
    strict: bool = False
    """Whether the configuration's warnings are errors."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: AWS_REGION, whose resource types the template may use; and, if wanted, CONFIG,
        PROVIDER_CREDENTIALS, CREDENTIALS_KNOWN, false where those are not all, STRICT, TEMPLATE, LITELLM_LANE and
        the parameters.

        Raises:
            OperationFailed: one is missing.
        """
        variables = {PROVIDER_CREDENTIALS: environ.get(PROVIDER_CREDENTIALS, "")}
        problems = expand_credentials(variables, stored=True)
        public = {name: value for name, value in environ.items() if name != PROVIDER_CREDENTIALS}
        return cls(
            config=find_configuration(environ),
            variables=variables,
            problems=problems,
            complete=environ.get("CREDENTIALS_KNOWN") != "false",
            stack=StackSettings(read_parameters(environ), environ.get("LITELLM_LANE", "")),
            template=Path(environ.get("TEMPLATE") or _TEMPLATE),
            environ=public | {"AWS_REGION": actions.required(environ, "AWS_REGION")},
            pinned="" if environ.get("TEMPLATE") else find_pinned_source(ROOT, environ),
            strict=environ.get("STRICT") == "true",
        )


def validate_parameters(inputs: Inputs) -> None:
    """Check the stack's parameters against the template, as far as they are known here.

    Raises:
        OperationFailed: the template refuses some.
    """
    check_parameters(SourceTemplate.read(inputs.template).document, inputs.stack.parameters, rules=False)


def validate_configuration(inputs: Inputs) -> Report:
    """What is to be said of the configuration."""
    return check(
        inputs.config, inputs.variables, inputs.stack, complete=inputs.complete, problems=inputs.problems
    )


def validate_template(inputs: Inputs) -> TemplateReport:
    """What is to be said of the template."""
    return check_template(inputs.template, inputs.environ)
