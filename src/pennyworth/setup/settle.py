"""Where the settings come from: what is given, what was set up before, what can be found out, what a person answers."""

from collections.abc import Callable, Mapping

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.snapshot import read_parameters
from pennyworth.github import gh_cli
from pennyworth.iam.bootstrap_template.template import PARAMETERS
from pennyworth.iam.settings import Settings, WrongSetting

Ask = Callable[[str, str], str]
"""Asks a person: a question, and the answer that is taken where they give none."""


def settle(account: Account, given: Mapping[str, str], ask: Ask | None) -> Settings:
    """The settings.

    Args:
        account: the account that is set up.
        given: the template's parameters as far as they were told.
        ask: asks for what is missing; None asks nobody.
    Raises:
        Unprepared: something is missing, or not as it must be.
    """
    before = {
        name: value for name, value in read_parameters(account.describe_stack()).items() if name in PARAMETERS
    }
    known = {**before, **given, "Region": account.region}
    _repository(known, given, ask)
    _domain(account, known, ask if not before else None)
    if not account.makes_provider():
        known["ExistingOidcProviderArn"] = account.provider if account.fetch_client_ids() is not None else ""
    try:
        return Settings.of(known)
    except WrongSetting as wrong:
        raise Unprepared(f"{wrong}.") from wrong


def _repository(known: dict[str, str], given: Mapping[str, str], ask: Ask | None) -> None:
    """Find the repository and its numbers."""
    if "Repository" in given or not known.get("Repository"):
        found = gh_cli.find_repository(given.get("Repository", ""))
        name = found.name if found else ""
        if ask and "Repository" not in given:
            answer = ask("Which repository shall deploy (OWNER/NAME)?", name)
            if answer != name:
                found = gh_cli.find_repository(answer)
        if found is None:
            raise Unprepared("Which repository shall deploy? Give --repository OWNER/NAME.")
        if found.name != known.get("Repository"):
            known |= {"RepositoryOwnerId": "", "RepositoryId": "", **given}
        known["Repository"] = found.name
        if found.id and not given.get("RepositoryId"):
            known |= {"RepositoryOwnerId": found.owner_id, "RepositoryId": found.id}


def _domain(account: Account, known: dict[str, str], ask: Ask | None) -> None:
    """Find the hosted zone of the domain."""
    if "BaseDomain" not in known and ask:
        known["BaseDomain"] = ask("Below which domain shall it be api.DOMAIN (none: the plain API URL)?", "")
    domain = known.get("BaseDomain", "")
    if not domain:
        known["HostedZoneId"] = ""
    elif not known.get("HostedZoneId"):
        zones = account.find_hosted_zones(domain)
        nearest = [zone for zone in zones if zone[1] == zones[0][1]]
        if not nearest:
            raise Unprepared(
                f"No public hosted zone of this account holds {domain}. Make one in Route 53, and name its name servers"
                " at your registrar."
            )
        if len(nearest) > 1:
            raise Unprepared(
                f"Several hosted zones are called {nearest[0][1]}: {', '.join(zone for zone, _ in nearest)}. Give"
                " --hosted-zone-id."
            )
        known["HostedZoneId"] = nearest[0][0]
