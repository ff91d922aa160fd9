"""The settings of a set-up: what IAM, CloudFormation or the Parameter Store would refuse is refused before."""

import pytest

from pennyworth.aws.names import Names
from pennyworth.iam.settings import Settings, WrongSetting, find_branches, find_environments, list_claims

GIVEN = {
    "Repository": "jdoe_acme/hub",  # the owner is an enterprise's account
    "Subjects": "repo:jdoe_acme/hub:ref:refs/heads/main",
    "Region": "us-west-2",
}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"StackName": "aws-llm"}, "not with aws or ssm"),
        ({"StackName": "ssm-x"}, "not with aws or ssm"),
        ({"StackName": "a-name-of-25-characters-xx"}, "at most 24"),
        ({"NameSuffix": "-other"}, "must be empty or -endpoint, not -other"),
        ({"BaseDomain": f"{'a' * 60}.com", "HostedZoneId": "Z1"}, "at most 63 characters"),
        ({"BaseDomain": "example.com"}, "requires the ID of its hosted zone"),
        ({"Subjects": ""}, "must be repo:OWNER/NAME:ref"),
        ({"Subjects": "repo:jdoe_acme/hub:ref:refs/heads/*"}, "without wildcards"),
        ({"Subjects": "repo:jdoe_acme/hub:pull_request"}, "must be repo:OWNER/NAME:ref"),
        ({"Subjects": "repo:other/hub:ref:refs/heads/main"}, "must all belong to jdoe_acme/hub"),
        ({"Subjects": "repo:jdoe_acme@1/hub@2:ref:refs/heads/main"}, "must all belong to jdoe_acme/hub"),
        ({"Subjects": ",".join([GIVEN["Subjects"] + "x" * 150] * 9)}, "IAM allows 2048. Name fewer branches"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:60],
)
def test_what_would_be_refused_later_is_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(WrongSetting, match=why):
        Settings.of({**GIVEN, **given})


def test_the_claims_tell_branches_and_environments() -> None:
    claims = list_claims("jdoe_acme/hub", "11", "22", ["main", "release/1"], ["production", "the last"])
    assert len(claims) == 8 and claims[1] == "repo:jdoe_acme@11/hub@22:ref:refs/heads/main"
    assert find_branches(claims) == ["main", "release/1"]
    assert find_environments(claims) == ["production", "the last"]


def test_a_further_endpoint_has_names_and_an_environment_of_its_own() -> None:
    claims = list_claims(GIVEN["Repository"], "", "", [], ["staging"])
    first = Settings.of({**GIVEN, "Subjects": ",".join(claims)})
    other = Settings.of({**first.parameters, "StackName": "staging", "NameSuffix": "-staging"})
    assert (first.names, first.secrets_environment) == (Names(), "")
    assert (other.names, other.secrets_environment) == (Names("-staging"), "staging")
    longest = Names("-a-name-of-24-characters-")
    assert max(map(len, (longest.deploy_role, longest.view_role))) <= 64  # IAM's limit
