"""`pennyworth bootstrap` as a person runs it: what it makes, what it leaves alone, and how it is all taken back."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.gh import Gh
from tests.names import DEPLOY_ROLE, VIEW_ROLE
from tests.shell import DOMAIN, HOME, REGION, REPOSITORY, Shell

from pennyworth.aws.names import Names
from pennyworth.iam.passrole.document import SID
from pennyworth.iam.policy.documents import MANAGED
from pennyworth.local.aws.server import ACCOUNT, LocalAws

STACK = "pennyworth-bootstrap"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
NAMES = {
    "AWS_DEPLOY_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/{DEPLOY_ROLE}",
    "AWS_VIEW_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/{VIEW_ROLE}",
    "AWS_REGION": REGION,
    "STACK_NAME": "endpoint",
    "BASE_DOMAIN": DOMAIN,
}


@pytest.fixture(scope="module")
def first_run(shared_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Gh:
    """What the first run leaves behind, kept for every test that begins there."""
    shared_aws.reset()
    shell = Shell(shared_aws, tmp_path_factory.mktemp("shell"))
    shell.bootstrap()
    shared_aws.keep("first run")
    return shell.gh


@pytest.fixture
def set_up(shared_aws: LocalAws, first_run: Gh, tmp_path: Path) -> Shell:
    """A shell in which the command has run once, without options."""
    shared_aws.restore("first run")
    return Shell(shared_aws, tmp_path, first_run)


def certificates(shell: Shell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shell.client("acm").list_certificates()["CertificateSummaryList"]
    return found


def proofs(shell: Shell) -> list[str]:
    records = shell.client("route53").list_resource_record_sets(HostedZoneId=shell.zone)["ResourceRecordSets"]
    return [record["Name"] for record in records if record["Type"] == "CNAME"]


def subjects(shell: Shell) -> list[str]:
    (statement,) = shell.role()["AssumeRolePolicyDocument"]["Statement"]
    found: list[str] = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    return found


def versions(shell: Shell) -> int:
    return len(shell.iam.list_policy_versions(PolicyArn=shell.arn("pennyworth-deployment"))["Versions"])


def test_the_plan_is_shown_and_nothing_done(shell: Shell) -> None:
    done = shell.pennyworth("bootstrap", "--domain", DOMAIN, "--dry-run", python=sys.executable)
    assert not done.returncode, done.stderr
    assert f"Repository = {REPOSITORY}" in done.stdout
    assert f"+ certificate for api.{DOMAIN}" in done.stdout
    assert f"HostedZoneId = {shell.zone}" in done.stdout
    refused = shell.pennyworth("bootstrap", "--domain", DOMAIN)
    assert refused.returncode == 1
    assert "Add --yes" in refused.stderr
    assert not shell.stacks() and not certificates(shell) and not shell.secrets


@pytest.mark.parametrize("typed", [f"https://{DOMAIN}/", f"API.{DOMAIN.upper()}"])
def test_a_domain_is_read_as_init_reads_it(shell: Shell, typed: str) -> None:
    done = shell.pennyworth("bootstrap", "--domain", typed, "--dry-run")
    assert f"BaseDomain = {DOMAIN}\n" in done.stdout, done.stderr
    refused = shell.pennyworth("bootstrap", "--domain", f"{DOMAIN}/v1", "--dry-run")
    assert refused.returncode == 1
    assert "it has a path. Give it like example.com" in refused.stderr


def test_the_region_may_be_a_variable(shell: Shell) -> None:
    given = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "")
    missing = shell.pennyworth("bootstrap", "--dry-run", **given)
    assert missing.stderr == "pennyworth bootstrap: --region is missing: give it, or set AWS_REGION\n"
    done = shell.pennyworth("bootstrap", "--dry-run", "--json", **{**given, "AWS_REGION": "eu-west-1"})
    assert "region eu-west-1" in done.stderr
    told = json.loads(done.stdout)
    assert told["region"] == "eu-west-1" and told["account"] == ACCOUNT
    assert told["plan"][0]["what"] == f"stack {STACK} in eu-west-1"
    assert f"Repository = {REPOSITORY}" in told["plan"][0]["changes"]
    assert (told["changed"], told["unset_secrets"], told["api_key"]) == (False, {}, None)


def test_another_github_has_another_issuer(shell: Shell) -> None:
    shell.bootstrap("--github-host", "git.example.org", "--alert-email", "me@example.com")
    issuer = "git.example.org/_services/token"
    (statement,) = shell.role()["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["Federated"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    # STS is known to compare the other claims of github.com's own tokens only
    assert set(statement["Condition"]["StringEquals"]) == {f"{issuer}:aud", f"{issuer}:sub"}
    providers = shell.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert [one["Arn"] for one in providers] == [statement["Principal"]["Federated"]]
    again = shell.bootstrap()  # remembers the host
    assert re.findall(r"^\+ .*", again, re.MULTILINE) == []
    doctor = shell.pennyworth("doctor", "--json", "--dns", "127.0.0.1:1")
    verdicts = {one["check"]: one["verdict"] for one in json.loads(doctor.stdout)["findings"]}
    assert {verdicts["set-up"], verdicts["identity provider"], verdicts["rights"]} == {"ok"}, doctor.stdout


def test_it_makes_everything_and_a_second_run_changes_nothing(shell: Shell) -> None:
    made = shell.bootstrap()
    assert shell.stacks() == {STACK}
    assert subjects(shell) == [
        "repo:Octo/pennyworth:ref:refs/heads/main",
        "repo:Octo@11/pennyworth@22:ref:refs/heads/main",
    ]
    (certificate,) = certificates(shell)
    assert certificate["DomainName"] == f"api.{DOMAIN}"
    assert len(proofs(shell)) == 1
    assert shell.secrets == {
        **NAMES,
        "ROUTE53_HOSTED_ZONE_ID": shell.zone,
        "ACM_CERTIFICATE_ARN": certificate["CertificateArn"],
    }
    assert f"gh secret set LITELLM_API_KEYS --repo {REPOSITORY}" in made
    command = ["gh", "secret", "delete", "AWS_REGION", "--repo", REPOSITORY]
    subprocess.run(command, env=shell.environ, check=True, input=b"")
    shell.gh.set_variable("AWS_REGION")
    before = len(shell.calls)
    again = shell.bootstrap()
    assert re.findall(r"^\+ .*", again, re.MULTILINE) == []
    assert not [words for words in shell.calls[before:] if words[:2] == ["secret", "set"]]
    assert certificates(shell) == [certificate]
    assert versions(shell) == 1


def test_values_reach_gh_by_standard_input_alone(shell: Shell) -> None:
    shown = shell.bootstrap("--new-api-key", "--json")
    key = shell.secrets["LITELLM_API_KEYS"]
    told = json.loads(shown)
    assert told["changed"] and told["api_key"] == key
    assert told["unset_secrets"] == {"PROVIDER_CREDENTIALS": None}
    assert key.startswith("sk-") and len(key) > 40
    assert shown.count(key) == 1
    words = {word for call in shell.calls for word in call}
    assert not words & set(shell.secrets.values())


def test_without_gh_the_commands_are_printed(shell: Shell) -> None:
    shell.log_out()
    printed = shell.bootstrap("--repository", REPOSITORY, "--new-api-key")
    arn = certificates(shell)[0]["CertificateArn"]
    for name, value in {**NAMES, "ROUTE53_HOSTED_ZONE_ID": shell.zone, "ACM_CERTIFICATE_ARN": arn}.items():
        assert f"gh secret set {name} --repo {REPOSITORY} --body {value}\n" in printed
    assert re.search(r"^ +gh secret set LITELLM_API_KEYS --repo Octo/pennyworth$", printed, re.MULTILINE)
    assert re.search(r"^ +sk-\S{40,}$", printed, re.MULTILINE)
    assert not shell.secrets


def test_what_is_told_later_changes_only_that(set_up: Shell) -> None:
    changed = set_up.bootstrap("--branch", "main", "--branch", "next", "--environment", "production")
    assert re.search("change Subjects from .*main to .*next", changed)
    assert "= certificate" in changed
    assert "repo:Octo/pennyworth:ref:refs/heads/next" in subjects(set_up)
    assert "repo:Octo@11/pennyworth@22:environment:production" in subjects(set_up)
    set_up.bootstrap("--branch", "main", "--environment", "")
    assert len(subjects(set_up)) == 2


def test_what_was_changed_by_hand_is_put_back(set_up: Shell) -> None:
    expected = set_up.policy("pennyworth-deployment")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    wide = json.dumps({**expected, "Statement": [*expected["Statement"], everything]})
    set_up.iam.create_policy_version(
        PolicyArn=set_up.arn("pennyworth-deployment"), PolicyDocument=wide, SetAsDefault=True
    )
    set_up.iam.delete_role_permissions_boundary(RoleName=DEPLOY_ROLE)
    trusting = json.dumps(set_up.role()["AssumeRolePolicyDocument"]).replace("heads/main", "heads/other")
    set_up.iam.update_assume_role_policy(RoleName=DEPLOY_ROLE, PolicyDocument=trusting)
    told = set_up.bootstrap()
    assert "+ the roles and their policies" in told
    assert "restore trust policy" in told
    assert set_up.policy("pennyworth-deployment") == expected
    assert set_up.role()["PermissionsBoundary"]["PermissionsBoundaryArn"] == set_up.arn(
        "pennyworth-deploy-boundary"
    )
    assert subjects(set_up)[0] == "repo:Octo/pennyworth:ref:refs/heads/main"


def test_a_narrowed_pass_role_survives(set_up: Shell) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/endpoint-FunctionRole-ABC123"
    narrow = set_up.policy("pennyworth-deployment")
    (statement,) = (one for one in narrow["Statement"] if one["Sid"] == SID)
    statement["Resource"] = role
    set_up.iam.create_policy_version(
        PolicyArn=set_up.arn("pennyworth-deployment"), PolicyDocument=json.dumps(narrow), SetAsDefault=True
    )
    assert "+ the roles and their policies" not in set_up.bootstrap()  # as it must be
    assert set_up.policy("pennyworth-deployment") == narrow
    # another zone makes CloudFormation write the policies anew
    other = set_up.client("route53").create_hosted_zone(Name=f"sub.{DOMAIN}", CallerReference="other")
    zone = other["HostedZone"]["Id"].rpartition("/")[2]
    set_up.bootstrap("--domain", f"sub.{DOMAIN}", "--hosted-zone-id", zone)
    (kept,) = (one for one in set_up.policy("pennyworth-deployment")["Statement"] if one["Sid"] == SID)
    assert kept["Resource"] == role


def test_a_provider_that_is_there_is_taken_and_left(shell: Shell) -> None:
    shell.iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    shell.bootstrap()
    shell.bootstrap()
    done = shell.pennyworth("bootstrap", "--delete", "--yes")
    assert not done.returncode, done.stderr
    assert "which existed before" in done.stderr
    assert shell.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": PROVIDER}]


def test_alerts_are_made_where_iam_reports_too_and_all_of_it_is_tagged(shell: Shell) -> None:
    refused = shell.pennyworth("bootstrap", "--yes", "--tag", "aws:team=platform")
    assert refused.returncode == 1 and "which only AWS itself may use" in refused.stderr
    shell.bootstrap("--alert-email", "me@example.com", "--tag", "team=platform")
    assert shell.stacks(HOME) == {STACK}
    for client in (shell.client("cloudformation"), shell.client("cloudformation", HOME)):
        assert client.describe_stacks()["Stacks"][0]["Tags"] == [{"Key": "team", "Value": "platform"}]
    assert len(shell.client("events", HOME).list_rules()["Rules"]) == 3
    assert "+" not in shell.bootstrap()
    shell.bootstrap("--alert-email", "")
    assert not shell.stacks(HOME)
    assert not shell.client("events").list_rules()["Rules"]


def test_it_is_taken_back(shell: Shell) -> None:
    shell.bootstrap("--alert-email", "me@example.com", "--new-api-key")
    refused = shell.pennyworth("bootstrap", "--delete")
    assert refused.returncode == 1 and "Add --yes" in refused.stderr
    assert shell.stacks() == {STACK}
    done = shell.pennyworth("bootstrap", "--delete", "--yes")
    assert not done.returncode, done.stderr
    assert not shell.stacks() and not shell.stacks(HOME)
    assert not shell.iam.list_roles()["Roles"]
    assert not shell.iam.list_policies(Scope="Local")["Policies"]
    assert not shell.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert not certificates(shell) and not proofs(shell)
    assert set(shell.secrets) == {"LITELLM_API_KEYS"}


def test_what_others_use_stays(shell: Shell) -> None:
    arn = shell.client("acm").request_certificate(DomainName=f"*.{DOMAIN}", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    shell.bootstrap()
    assert shell.secrets["ACM_CERTIFICATE_ARN"] == arn
    trust = json.dumps(shell.role()["AssumeRolePolicyDocument"])
    shell.iam.create_role(RoleName="others", AssumeRolePolicyDocument=trust)
    done = shell.pennyworth("bootstrap", "--delete", "--yes", "--json")
    assert not done.returncode, done.stderr
    assert "other roles also trust: others" in done.stderr
    told = json.loads(done.stdout)
    assert told["deleted"] and any("other roles also trust: others" in line for line in told["remains"])
    assert [one["CertificateArn"] for one in certificates(shell)] == [arn]
    assert shell.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": PROVIDER}]


def test_nothing_is_taken_back_under_a_living_endpoint(set_up: Shell) -> None:
    stacks = set_up.client("cloudformation")
    body = "Resources: {One: {Type: AWS::SNS::Topic}}"
    stacks.create_stack(StackName="endpoint", TemplateBody=body)
    stacks.get_waiter("stack_create_complete").wait(StackName="endpoint", WaiterConfig={"Delay": 1})
    done = set_up.pennyworth("bootstrap", "--delete", "--yes")
    assert done.returncode == 1
    assert "pennyworth remove --stack-name endpoint" in done.stderr
    assert STACK in set_up.stacks()


def test_what_is_missing_or_wrong_is_said_before_anything_is_done(shell: Shell) -> None:
    cases = {
        ("--domain", "elsewhere.org"): "no public hosted zone for elsewhere.org",
        ("--branch", "release-*"): "without wildcards",
        ("--stack-name", "a-name-of-25-characters-xx"): "at most 24",
        ("--alert-email", "nobody"): "must be an e-mail address",
    }
    for words, message in cases.items():
        done = shell.pennyworth("bootstrap", "--yes", *words)
        assert done.returncode == 1
        assert message in done.stderr
    many = [word for place in range(12) for word in ("--branch", f"a-branch-with-a-rather-long-name-{place}")]
    refused = shell.pennyworth("bootstrap", "--yes", *many)
    assert refused.returncode == 1 and "IAM allows 2048. Name fewer branches" in refused.stderr
    unknown = shell.pennyworth("bootstrap", "--yes", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert unknown.returncode == 1 and "You are not logged in to AWS" in unknown.stderr
    assert not shell.stacks()


def test_an_interrupted_run_is_taken_up(shell: Shell) -> None:
    arn = shell.client("acm").request_certificate(DomainName=f"api.{DOMAIN}", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    began = time.monotonic()
    told = shell.bootstrap()
    assert f"into the hosted zone {shell.zone}" in told
    assert proofs(shell) and shell.secrets["ACM_CERTIFICATE_ARN"] == arn
    assert time.monotonic() - began < 60


STAGING = ("--stack-name", "staging", "--environment", "staging", "--domain", "")


def owned(shell: Shell) -> dict[str, Any]:
    """What the first endpoint has."""
    (stack,) = shell.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {
        "stack": stack,
        "trust": shell.role()["AssumeRolePolicyDocument"],
        "policies": {
            name: shell.policy(f"pennyworth-{name}") for name in MANAGED if name != "first-deployment"
        },
        "secrets": shell.secrets,
        "provider": shell.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)["ClientIDList"],
    }


def test_a_second_endpoint_has_names_and_secrets_of_its_own_and_touches_no_first(set_up: Shell) -> None:
    before, names = owned(set_up), Names("-staging")
    set_up.bootstrap(*STAGING)
    assert owned(set_up) == before
    assert set_up.stacks() == {STACK, names.bootstrap_stack}
    roles = {role["RoleName"] for role in set_up.iam.list_roles()["Roles"]}
    assert roles == {DEPLOY_ROLE, VIEW_ROLE, names.deploy_role, names.view_role}
    assert set_up.gh.list_secrets("staging") == {
        "AWS_DEPLOY_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/{names.deploy_role}",
        "AWS_VIEW_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/{names.view_role}",
        "AWS_REGION": REGION,
        "STACK_NAME": "staging",
    }
    again = set_up.bootstrap(*STAGING)
    assert re.findall(r"^\+ .*", again, re.MULTILINE) == []
    unclear = set_up.pennyworth("bootstrap", "--yes")
    assert "several endpoints in us-west-2: endpoint, staging. Choose one with --stack-name" in unclear.stderr
    healthy = set_up.pennyworth("doctor", "--stack-name", "staging", "--json")
    found = {one["check"]: one["verdict"] for one in json.loads(healthy.stdout)["findings"]}
    assert found["set-up"] == found["rights"] == found["identity provider"] == "ok", healthy.stdout
    removed = set_up.pennyworth("bootstrap", "--delete", "--stack-name", "staging", "--yes")
    assert not removed.returncode, removed.stderr
    assert owned(set_up) == before and set_up.stacks() == {STACK}
    assert not set_up.gh.list_secrets("staging")


def test_the_first_can_go_before_the_second(set_up: Shell) -> None:
    set_up.bootstrap(*STAGING)
    done = set_up.pennyworth("bootstrap", "--delete", "--stack-name", "endpoint", "--yes")
    assert not done.returncode, done.stderr
    assert "other roles also trust: pennyworth-github-deploy-role-staging" in done.stderr
    providers = set_up.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert providers == [{"Arn": PROVIDER}]
    assert set_up.stacks() == {"pennyworth-bootstrap-staging"}


def test_what_would_be_in_the_first_ones_way_is_refused_beforehand(set_up: Shell) -> None:
    before = owned(set_up)
    for why, options in {
        "endpoint-staging is too close to endpoint, the endpoint in us-west-2": (
            "--stack-name",
            "endpoint-staging",
        ),
        "too close to pennyworth-bootstrap": ("--stack-name", "pennyworth"),
        "they are equal": ("--region", "ap-southeast-2"),
        "belongs to the endpoint endpoint in us-west-2": (*STAGING[:2], "--region", "ap-southeast-2"),
        "such as --environment staging": ("--stack-name", "staging", "--domain", ""),
    }.items():
        done = set_up.pennyworth("bootstrap", "--yes", "--domain", DOMAIN, *options)
        assert done.returncode == 1 and why in done.stderr, done.stdout + done.stderr
    assert owned(set_up) == before
    assert set_up.stacks() == {STACK} and not set_up.stacks("ap-southeast-2")


def test_an_endpoint_in_a_second_region_takes_nothing_from_the_first(set_up: Shell) -> None:
    before = owned(set_up)
    set_up.bootstrap(*STAGING, "--region", "ap-southeast-2")
    assert owned(set_up) == before
    assert set_up.stacks("ap-southeast-2") == {"pennyworth-bootstrap-staging"}
    assert set_up.stacks() == {STACK}


def test_a_deploy_role_made_by_hand_is_not_taken_over(shell: Shell) -> None:
    shell.iam.create_role(RoleName=DEPLOY_ROLE, AssumeRolePolicyDocument="{}")
    done = shell.pennyworth("bootstrap", "--yes")
    assert (
        done.returncode == 1
        and f"has a role {DEPLOY_ROLE} that `pennyworth bootstrap` did not make" in done.stderr
    )
    assert not shell.stacks()
