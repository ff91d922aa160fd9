"""Collects the settings of the setup: from options, from the last run, from look-ups, and from answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.github_oidc import ISSUER, find_host
from pennyworth.aws.names import Names
from pennyworth.aws.snapshot import read_parameters
from pennyworth.github import gh_cli
from pennyworth.github.deploying_workflows import find_deploying_workflows
from pennyworth.iam.bootstrap_template.template import PARAMETERS
from pennyworth.iam.endpoints import Endpoint, check_new_endpoint, list_endpoints, pick_endpoint
from pennyworth.iam.settings import (
    Settings,
    WrongSetting,
    find_branches,
    find_environments,
    list_claims,
)
from pennyworth.setup.domain import WrongDomain, read_domain

Ask = Callable[[str, str], str]
"""Asks the user a question. Takes the question and the default answer."""

_DEFAULT_STACK = PARAMETERS["StackName"]["Default"]


@dataclass(frozen=True, slots=True)
class Given:
    """What was given as options."""

    parameters: Mapping[str, str]
    """Parameters of the template."""
    branches: Sequence[str] | None = None
    """The branches that may deploy. None: as before; at first main, if there is no environment."""
    environments: Sequence[str] | None = None
    """The GitHub environments that may deploy. None: as before."""


def settle(account: Account, options: Given, ask: Ask | None) -> Settings:
    """Collect the settings.

    Args:
        account: the account to set up.
        options: what was given as options.
        ask: asks the user for what is missing. None: don't ask.
    Raises:
        Unprepared: a setting is missing or wrong, or the endpoint would be in another one's way.
    """
    given = _read_domain(options.parameters)
    others = list_endpoints(account)
    own = pick_endpoint(account, given.get("StackName", ""))
    stack = given.get("StackName") or (own.stack if own else _DEFAULT_STACK)
    first = not any(one.names == Names() for one in others)
    names = own.names if own else Names() if first else Names(f"-{stack}")
    before = {
        name: value
        for name, value in read_parameters(account.describe_stack(names.bootstrap_stack)).items()
        if name in PARAMETERS
    }
    known = {**before, **given, "Region": account.region, "StackName": stack, "NameSuffix": names.suffix}
    if own is None:
        check_new_endpoint(stack, others)
    account.issuer = known.get("Issuer", ISSUER)
    gh_cli.use_host(find_host(account.issuer))
    _repository(known, given, ask)
    _subjects(known, options)
    _workflows(known, given)
    _domain(account, known, ask if not before else None)
    if not account.makes_provider(names.bootstrap_stack):
        known["ExistingOidcProviderArn"] = account.provider if account.fetch_client_ids() is not None else ""
    try:
        settings = Settings.of(known)
    except WrongSetting as wrong:
        raise Unprepared(f"{wrong}.") from wrong
    _keep_apart(settings, [one for one in others if one != own])
    return settings


def _keep_apart(settings: Settings, others: Sequence[Endpoint]) -> None:
    """Refuse to take another endpoint's domain or its repository's secrets.

    Raises:
        Unprepared: it would. The message says what to do.
    """
    for one in others:
        if settings["BaseDomain"] and settings["BaseDomain"] == one.domain:
            raise Unprepared(
                f"{settings.domain} belongs to the endpoint {one.stack} in {one.region}. Choose another domain for"
                f" {settings['StackName']}, such as --domain {settings['StackName']}.{one.domain}."
            )
        if settings["Repository"] in one.repositories and settings.names.suffix and not settings.environments:
            raise Unprepared(
                f"{settings['Repository']} deploys the endpoint {one.stack} already, with the repository's secrets."
                f" {settings['StackName']} needs secrets of its own, in a GitHub environment: create one in the"
                f" repository's settings and name it, such as --environment {settings['StackName']}."
            )


def _repository(known: dict[str, str], given: Mapping[str, str], ask: Ask | None) -> None:
    """Find the repository and its numeric IDs."""
    if "Repository" in given or not known.get("Repository"):
        found = gh_cli.find_repository(given.get("Repository", ""))
        name = found.name if found else ""
        if ask and "Repository" not in given:
            answer = ask("Which GitHub repository deploys (OWNER/NAME)?", name)
            if answer != name:
                found = gh_cli.find_repository(answer)
        if found is None:
            raise Unprepared("The repository that deploys is not known. Use --repository OWNER/NAME.")
        if found.name != known.get("Repository"):
            known |= {"RepositoryOwnerId": "", "RepositoryId": "", **given}
        known["Repository"] = found.name
        if found.id and not given.get("RepositoryId"):
            known |= {"RepositoryOwnerId": found.owner_id, "RepositoryId": found.id}


def _subjects(known: dict[str, str], options: Given) -> None:
    """Make the claims of the runs that may deploy."""
    before = list(filter(None, known.get("Subjects", "").split(",")))
    environments = options.environments if options.environments is not None else find_environments(before)
    environments = [name for name in environments if name]
    main = [] if before or environments else ["main"]
    branches = options.branches if options.branches is not None else find_branches(before) or main
    owner_id, repository_id = known.get("RepositoryOwnerId", ""), known.get("RepositoryId", "")
    claims = list_claims(known["Repository"], owner_id, repository_id, filter(None, branches), environments)
    if not claims:
        raise Unprepared("Name at least one branch or environment that may deploy.")
    known["Subjects"] = ",".join(claims)


def _workflows(known: dict[str, str], given: Mapping[str, str]) -> None:
    """Find the workflow file that deploys, if this folder is a checkout of the repository."""
    if "Workflows" in given:
        return
    branches = find_branches(known["Subjects"].split(","))
    found = find_deploying_workflows(known["Repository"], branches, Path.cwd())
    if found:
        known["Workflows"] = ",".join(found)


def _read_domain(given: Mapping[str, str]) -> dict[str, str]:
    """Return parameters with the domain, if there is one, in the form that Route 53 has."""
    try:
        return {**given, **{name: read_domain(given[name]) for name in given.keys() & {"BaseDomain"}}}
    except WrongDomain as wrong:
        raise Unprepared(str(wrong)) from wrong


def _domain(account: Account, known: dict[str, str], ask: Ask | None) -> None:
    """Find the hosted zone of the domain."""
    if "BaseDomain" not in known and ask:
        known |= _read_domain(
            {"BaseDomain": ask("Your domain, to serve at api.DOMAIN (empty for the plain API URL)?", "")}
        )
    domain = known.get("BaseDomain", "")
    if not domain:
        known["HostedZoneId"] = ""
    elif not known.get("HostedZoneId"):
        zones = account.find_hosted_zones(domain)
        nearest = [zone for zone in zones if zone[1] == zones[0][1]]
        if not nearest:
            raise Unprepared(
                f"This account has no public hosted zone for {domain}. Create one in Route 53, and set its name"
                " servers at your registrar."
            )
        if len(nearest) > 1:
            raise Unprepared(
                f"Several hosted zones are called {nearest[0][1]}: {', '.join(zone for zone, _ in nearest)}. Choose"
                " one with --hosted-zone-id."
            )
        known["HostedZoneId"] = nearest[0][0]
