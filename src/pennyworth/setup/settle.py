"""Collects the settings of the setup: from options, from the last run, from look-ups, and from answers."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pennyworth.aws.account import STACK, Account, Unprepared
from pennyworth.aws.errors import get_or_none
from pennyworth.aws.snapshot import read_parameters
from pennyworth.github import gh_cli
from pennyworth.github.deploying_workflows import find_deploying_workflows
from pennyworth.iam.bootstrap_template.template import PARAMETERS, SLOTS
from pennyworth.iam.policy.documents import DEPLOY_ROLE
from pennyworth.iam.settings import Settings, WrongSetting
from pennyworth.setup.domain import WrongDomain, read_domain

Ask = Callable[[str, str], str]
"""Asks the user a question. Takes the question and the default answer."""


def settle(account: Account, given: Mapping[str, str], ask: Ask | None) -> Settings:
    """Collect the settings.

    Args:
        account: the account to set up.
        given: the template's parameters that were given as options.
        ask: asks the user for what is missing. None: don't ask.
    Raises:
        Unprepared: a setting is missing or wrong.
    """
    before = {
        name: value for name, value in read_parameters(account.describe_stack()).items() if name in PARAMETERS
    }
    given = _read_domain(given)
    known = {**before, **given, "Region": account.region}
    _repository(known, given, ask)
    _workflows(known, given)
    _domain(account, known, ask if not before else None)
    if not account.makes_provider():
        known["ExistingOidcProviderArn"] = account.provider if account.fetch_client_ids() is not None else ""
    try:
        settings = Settings.of(known)
    except WrongSetting as wrong:
        raise Unprepared(f"{wrong}.") from wrong
    _keep_other_endpoints(account, before, settings["StackName"])
    return settings


def _keep_other_endpoints(account: Account, before: Mapping[str, str], wanted: str) -> None:
    """Refuse a set-up that would take the permissions of an endpoint away: an account's roles serve one.

    Raises:
        Unprepared: there is another endpoint. The message says what to do.
    """
    served = before.get("StackName", "")
    roles = served and before.get("Part") != "alerts"
    if roles and wanted != served and account.describe_stack(served) is not None:
        raise Unprepared(
            f"The roles of this account deploy the stack {served}, which exists. If they were for {wanted} instead, its"
            " function would lose its credentials and its log at once, and its pipeline could not deploy it any more."
            f" Set {wanted} up in another account, or delete {served} first: docs/runbooks.md says how to move."
        )
    if roles or get_or_none(account.client("iam").get_role, RoleName=DEPLOY_ROLE) is None:
        return
    raise Unprepared(
        f"This account has a role {DEPLOY_ROLE} already, but no stack {STACK} in {account.region}. Roles belong to all"
        " regions, so it probably serves an endpoint in another one. Use --region with that region, or another account;"
        " to move the endpoint here, delete the old one first: docs/runbooks.md says how."
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


def _workflows(known: dict[str, str], given: Mapping[str, str]) -> None:
    """Find the workflow file that deploys, if this folder is a checkout of the repository."""
    if "Workflows" in given:
        return
    branches = [known.get(f"{slot}Branch", "" if slot else "main") for slot in SLOTS]
    found = find_deploying_workflows(known["Repository"], list(filter(None, branches)), Path.cwd())
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
