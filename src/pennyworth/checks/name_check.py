"""Checks whether something is in the way of the resources that a deployment would create."""

from pennyworth.aws.account import Account
from pennyworth.aws.name_conflicts import Conflict, find_conflicts
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.host.places import ROOT
from pennyworth.iam.settings import Settings


def check_names(account: Account, settings: Settings) -> list[Conflict]:
    """Find what already has a name that the endpoint's stack would give to a resource.

    Args:
        account: the account, in the endpoint's region.
        settings: the settings of the setup.
    """
    parameters = {"BaseDomain": settings["BaseDomain"], "Route53HostedZoneId": settings["HostedZoneId"]}
    template = SourceTemplate.read(ROOT / "template.yaml")
    return find_conflicts(account, settings["StackName"], template, parameters)
