"""The files of a repository that has an endpoint: a configuration, and callers of this project's workflows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pennyworth.checks.config.needs import list_needs, uses_role
from pennyworth.gateway.config import Deployment, parse
from pennyworth.gateway.providers import PROVIDERS
from pennyworth.host.places import ROOT
from pennyworth.setup.init.source import WorkflowSource

CONFIG = Path("config.yaml")

CALLED = ROOT / ".github" / "workflows"
"""The folder of the called workflows, in a checkout of this project."""

_LOOKS = "get GitHub's OIDC token, which AWS exchanges for credentials of the read-only role"
_DOMAIN_SECRETS = ("BASE_DOMAIN", "ROUTE53_HOSTED_ZONE_ID", "ACM_CERTIFICATE_ARN")


@dataclass(frozen=True, slots=True)
class Caller:
    """A workflow of the repository's own that calls one of this project's."""

    name: str
    """Of the workflow that is called, its file's without .yml."""
    file: Path
    title: str
    does: str
    """What it is for, as its first line says."""
    triggers: tuple[str, ...]
    """Lines below `on:`; {branch} is the one whose pushes deploy."""
    permissions: Mapping[str, str]
    """What the called workflow needs, and why."""
    secrets: tuple[str, ...]
    """Besides those of the domain."""
    told: bool
    """Whether it is told of configuration and domain: it deploys, or says what a deployment would do."""


CALLERS = (
    Caller(
        name="deploy",
        file=Path(".github/workflows/pennyworth.yml"),
        title="Endpoint",
        does="Deploys the endpoint that {config} describes.",
        triggers=("push:", "  branches: [{branch}]", "workflow_dispatch:"),
        permissions={
            "contents: read": "check the configuration out",
            "id-token: write": "get GitHub's OIDC token, which AWS exchanges for credentials",
        },
        secrets=(
            "AWS_DEPLOY_ROLE_ARN",
            "AWS_REGION",
            "STACK_NAME",
            "LITELLM_API_KEYS",
            "PROVIDER_CREDENTIALS",
            "ALARM_EMAIL",
        ),
        told=True,
    ),
    Caller(
        name="preview",
        file=Path(".github/workflows/pennyworth-preview.yml"),
        title="Endpoint preview",
        does="Comments on a pull request what its deployment would change.",
        triggers=("pull_request:",),
        permissions={
            "contents: read": "check the configuration out",
            "id-token: write": _LOOKS,
            "pull-requests: write": "write the comment",
        },
        secrets=("AWS_VIEW_ROLE_ARN", "AWS_REGION", "STACK_NAME", "ALARM_EMAIL"),
        told=True,
    ),
    Caller(
        name="health-check",
        file=Path(".github/workflows/pennyworth-health-check.yml"),
        title="Endpoint health",
        does="Checks the endpoint every few hours, and keeps one issue open while something is wrong.",
        triggers=("schedule:", '  - cron: "41 */4 * * *"', "workflow_dispatch:"),
        permissions={
            "contents: read": "check the repository out",
            "id-token: write": _LOOKS,
            "issues: write": "keep the issue",
        },
        secrets=("AWS_VIEW_ROLE_ARN", "AWS_REGION", "STACK_NAME", "LITELLM_API_KEYS"),
        told=False,
    ),
)
"""The first is what every endpoint has."""

# what a provider's entry holds besides what it needs
_FURTHER: Mapping[str, Mapping[str, str]] = {"azure": {"api_version": "v1"}}

_USES = re.compile(r"[\w.-]+/[\w.-]+/\.github/workflows/[\w.-]+\.ya?ml@[\w./-]+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the person says."""

    providers: tuple[str, ...]
    """LiteLLM's names."""
    domain: str = ""
    region: str = ""
    stack_name: str = ""
    branch: str = "main"
    """The branch whose pushes deploy."""
    readable: bool = False
    """Whether region, stack name and domain are no secrets, so that runs can show them."""


def workflow(answers: Answers, source: WorkflowSource, caller: Caller = CALLERS[0]) -> str:
    """A caller's workflow file."""
    readable = {name: value for name, value in _list_readable(answers, caller) if value}
    secrets = (*caller.secrets, *(_DOMAIN_SECRETS if caller.told and answers.domain else ()))
    inputs = {name.lower().replace("_", "-"): value for name, value in readable.items()}
    if caller.told:
        inputs["config"] = str(CONFIG)
        inputs |= {"parameters": "BedrockAccess=yes"} if _asks_for_role(answers) else {}
    lines = [
        f"# {caller.does.format(config=CONFIG)} Inputs and secrets: .github/workflows/{caller.name}.md in",
        f"# {source.repository}. Written by `pennyworth init`, and yours to change.",
        f"name: {caller.title}",
        "on:",
        *(f"  {line.format(branch=answers.branch)}" for line in caller.triggers),
        "permissions: {}",
        "jobs:",
        f"  {caller.name}:",
        "    permissions:",
        *(f"      {permission} # {why}" for permission, why in caller.permissions.items()),
        f"    uses: {source.workflow(caller.name)}",
        *(["    with:"] if inputs else []),
        *(f"      {name}: {value}" for name, value in inputs.items()),
        "    secrets:",
        *(f"      {name}: ${{{{ secrets.{name} }}}}" for name in secrets if name not in readable),
    ]
    return "\n".join(lines) + "\n"


def _list_readable(answers: Answers, caller: Caller) -> Iterator[tuple[str, str]]:
    """List the secrets that are none to the person, with their values."""
    if answers.readable:
        yield "AWS_REGION", answers.region
        yield "STACK_NAME", answers.stack_name
        yield from [("BASE_DOMAIN", answers.domain)] if caller.told else []


def config(answers: Answers) -> str:
    """The configuration, with a comment for what one may want next."""
    first = answers.providers[0]
    lines = [
        "# The models of the endpoint, in LiteLLM's format. `pennyworth config check` says what becomes of each line.",
        "# Keys never stand here: os.environ/NAME is read from PROVIDER_CREDENTIALS, one NAME=value a line.",
        "model_list:",
    ]
    for provider in answers.providers:
        lines += _entry(provider)
    lines += [
        "  # A name of your own, for one model. Several entries of one name share its requests:",
        "  # - model_name: fast",
        f"  #   litellm_params: {{model: {first}/NAME-OF-THE-MODEL}}",
        "",
        "# litellm_settings:",
        "#   request_timeout: 600 # seconds that an answer may take",
        "# router_settings:",
        "#   model_group_alias: {gpt-4: fast} # further names of models",
    ]
    return "\n".join(lines) + "\n"


def _entry(provider: str) -> Iterator[str]:
    deployment = _deployment(provider)
    wanted = {need.parameter: need.variables[0] for need in list_needs(deployment, {})}
    local = PROVIDERS.get(provider)
    if local and (local.base_url or "").startswith("http://") and local.base_variables:
        wanted["api_base"] = local.base_variables[0]  # its default leads to the function itself
    if not wanted and uses_role(deployment.provider, deployment.params):
        yield f"  # every model of {provider}, as {provider}/NAME. The function's own role opens it: no key is needed"
    else:
        yield f"  # every model of {provider}, as {provider}/NAME"
    yield f'  - model_name: "{provider}/*"'
    yield "    litellm_params:"
    yield f'      model: "{provider}/*"'
    yield from (f"      {parameter}: os.environ/{variable}" for parameter, variable in wanted.items())
    yield from (f"      {parameter}: {value}" for parameter, value in _FURTHER.get(provider, {}).items())


def _deployment(provider: str) -> Deployment:
    """A provider's entry as the gateway reads it."""
    params = {"model": f"{provider}/*", **_FURTHER.get(provider, {})}
    (deployment,) = parse({"model_list": [{"model_name": "*", "litellm_params": params}]}, {}).deployments
    return deployment


def _asks_for_role(answers: Answers) -> bool:
    return any(provider.startswith("bedrock") for provider in answers.providers)


def workflow_problems(text: str, caller: Caller = CALLERS[0], called: Path = CALLED) -> list[str]:
    """What is wrong with a caller's workflow, as far as can be told without GitHub.

    Args:
        text: the workflow file's.
        caller: what it is to call.
        called: the folder of the workflows that are called; where they are not at hand, less is checked.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"it is no YAML: {error}"]
    jobs = document.get("jobs") if isinstance(document, Mapping) else None
    if not isinstance(jobs, Mapping):
        return ["it has no jobs"]
    calls = {name: job for name, job in jobs.items() if f"/{caller.name}.yml@" in str(job.get("uses", ""))}
    if not calls:
        return [f"no job of it calls the workflow {caller.name}.yml"]
    return [
        f"jobs.{name}: {problem}"
        for name, job in calls.items()
        for problem in _call_problems(job, called / f"{caller.name}.yml")
    ]


def _call_problems(job: Mapping[str, Any], called: Path) -> Iterator[str]:
    if not _USES.fullmatch(str(job["uses"])):
        yield f"uses: {job['uses']} is not OWNER/NAME/.github/workflows/FILE@COMMIT"
    if not called.exists():
        return
    document = yaml.safe_load(called.read_text(encoding="utf-8"))
    takes = document[True]["workflow_call"]  # YAML reads `on` as true
    for section, known in (("with", takes["inputs"]), ("secrets", takes["secrets"])):
        given = job.get(section) or {}
        if isinstance(given, Mapping):
            yield from (f"{section}: there is no {name}" for name in given if name not in known)
    granted = job.get("permissions") or {}
    wanted = {
        name: access
        for one in document["jobs"].values()
        for name, access in (one.get("permissions") or {}).items()
    }
    for name, access in wanted.items():
        if isinstance(granted, Mapping) and granted.get(name) not in (access, "write"):
            yield f"permissions: {name}: {access} is needed"
