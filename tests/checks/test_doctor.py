"""`pennyworth doctor`: a sound set-up is found sound, and whatever is broken is named with what fixes it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.gh import Gh
from tests.names import DEPLOY_ROLE, VIEW_ROLE
from tests.shell import DOMAIN, REGION, Shell

from pennyworth.host.environments import environment
from pennyworth.local.aws.server import ACCOUNT, LocalAws

SOUND = {
    "region": "ok",
    "set-up": "ok",
    "identity provider": "ok",
    "rights": "ok",
    "trust": "ok",
    "certificate": "ok",
    "hosted zone": "ok",
    "artifact bucket": "ok",
    "endpoint": "warning",  # not deployed yet
    "names": "ok",
    "concurrency": "ok",
    "timeout": "unknown",  # MiniStack has no Service Quotas
    "secrets": "ok",
    "alerts": "ok",
}

WORKFLOW = "Octo/pennyworth/.github/workflows/deploy.yml@refs/heads/main"

# answers each question for name servers with those in its arguments, on a port that it prints first
NAME_SERVER = """
import socket, sys
import dns.message, dns.rrset
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.bind(("127.0.0.1", 0))
print(asked.getsockname()[1], flush=True)
while True:
    wire, peer = asked.recvfrom(4096)
    question = dns.message.from_wire(wire)
    answer = dns.message.make_response(question)
    if sys.argv[1:]:
        answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "NS", *sys.argv[1:]))
    asked.sendto(answer.to_wire(), peer)
"""


@contextmanager
def name_server(*servers: str) -> Iterator[str]:
    """The world's answer to who is asked for the domain."""
    absolute = [f"{server}." for server in servers]
    command = [environment("tools") / "python", "-c", NAME_SERVER, *absolute]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def set_up(shared_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Gh:
    """A set-up without fault, kept for every test that begins with one."""
    shared_aws.reset()
    shell = Shell(shared_aws, tmp_path_factory.mktemp("shell"))
    shell.bootstrap("--new-api-key", "--workflow", WORKFLOW)
    set_by_hand(shell, "PROVIDER_CREDENTIALS")
    shared_aws.keep("set up")
    return shell.gh


@pytest.fixture
def sound(shared_aws: LocalAws, set_up: Gh, tmp_path: Path) -> Shell:
    """A set-up without fault."""
    shared_aws.restore("set up")
    return Shell(shared_aws, tmp_path, set_up)


def set_by_hand(shell: Shell, name: str) -> None:
    command = ["gh", "secret", "set", name, "--repo", "Octo/pennyworth"]
    subprocess.run(command, input="value", env=shell.environ, text=True, check=True)


def servers(shell: Shell) -> list[str]:
    found = shell.client("route53").get_hosted_zone(Id=shell.zone)["DelegationSet"]["NameServers"]
    return [str(server).rstrip(".") for server in found]


def examined(shell: Shell, *words: str, status: int = 0) -> dict[str, list[dict[str, str]]]:
    """What the doctor found, by check."""
    with name_server(*servers(shell)) as dns:
        done = shell.pennyworth("doctor", "--json", "--dns", dns, *words)
    assert done.returncode == status, done.stdout + done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def verdicts(found: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    order = ["ok", "unknown", "warning", "wrong"]
    return {
        check: max((finding["verdict"] for finding in findings), key=order.index)
        for check, findings in found.items()
    }


def test_a_sound_set_up_is_found_sound(sound: Shell) -> None:
    found = examined(sound)
    assert verdicts(found) == SOUND
    assert "repo:Octo@11/pennyworth@22:ref:refs/heads/main" in found["rights"][0]["detail"]
    assert f"DNS delegates {DOMAIN} to this hosted zone" in found["hosted zone"][0]["detail"]


def test_the_table_is_for_people(sound: Shell) -> None:
    with name_server(*servers(sound)) as dns:
        done = sound.pennyworth("doctor", "--dns", dns)
    assert not done.returncode
    assert f"✓ region              {REGION}, account {ACCOUNT}\n" in done.stdout
    assert "! endpoint            the stack endpoint does not exist yet\n" in done.stdout
    assert "→ push to the branch that deploys\n" in done.stdout
    assert "0 wrong, 1 warning." in done.stderr


def test_changed_rights_are_named_and_bootstrap_fixes_them(sound: Shell) -> None:
    document = sound.policy("pennyworth-deployment")
    document["Statement"].append({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    sound.iam.create_policy_version(
        PolicyArn=sound.arn("pennyworth-deployment"), PolicyDocument=json.dumps(document), SetAsDefault=True
    )
    sound.iam.delete_role_permissions_boundary(RoleName=DEPLOY_ROLE)
    trust = json.dumps(sound.role()["AssumeRolePolicyDocument"]).replace("StringEquals", "StringLike")
    sound.iam.update_assume_role_policy(
        RoleName=DEPLOY_ROLE, PolicyDocument=trust.replace("heads/main", "heads/*")
    )
    sound.iam.attach_role_policy(RoleName=DEPLOY_ROLE, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    sound.iam.put_role_policy(
        RoleName=DEPLOY_ROLE,
        PolicyName="extra",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    told = [finding["detail"] for finding in examined(sound, status=1)["rights"]]
    assert any(detail.startswith("trust policy: ") and "StringLike" in detail for detail in told)
    assert "role's boundary: it is not pennyworth-deploy-boundary" in told
    assert any("iam:*" in detail for detail in told)
    assert any("ReadOnlyAccess is attached" in detail for detail in told)
    assert any("an unexpected inline policy, extra" in detail for detail in told)
    assert len(told) == 5
    sound.bootstrap()
    assert verdicts(examined(sound)) == SOUND


def test_the_view_role_is_looked_at_and_fixed_too(sound: Shell) -> None:
    sound.iam.attach_role_policy(RoleName=VIEW_ROLE, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    sound.iam.delete_role_permissions_boundary(RoleName=VIEW_ROLE)
    trust = json.dumps(sound.role()["AssumeRolePolicyDocument"]).replace("heads/main", "heads/*")
    sound.iam.update_assume_role_policy(RoleName=VIEW_ROLE, PolicyDocument=trust)
    told = [finding["detail"] for finding in examined(sound, status=1)["rights"]]
    assert len(told) == 3 and all(f" of {VIEW_ROLE}: " in detail for detail in told)
    sound.bootstrap()
    assert verdicts(examined(sound)) == SOUND
    sound.bootstrap("--view-role", "no")
    found = examined(sound)
    assert verdicts(found) == SOUND
    assert "no view role" in found["rights"][-1]["detail"]


def test_the_trusted_workflow_and_repository_are_compared(sound: Shell) -> None:
    told = [finding["detail"] for finding in examined(sound)["trust"]]
    assert told == [
        "Octo/pennyworth has the IDs that the roles trust",
        f"only jobs of {WORKFLOW} may deploy",
    ]
    sound.bootstrap("--workflow", "", "--repository-id", "33")
    stranger, anything = examined(sound, status=1)["trust"]
    assert (
        stranger["verdict"] == "wrong"
        and "11 and 33, but Octo/pennyworth has 11 and 22" in stranger["detail"]
    )
    assert anything["verdict"] == "warning" and "--workflow" in anything["fix"]


def test_tokens_for_nobody_are_found(sound: Shell) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    sound.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert verdicts(examined(sound, status=1)) == {**SOUND, "identity provider": "wrong"}
    sound.iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["somebody"]
    )
    (finding,) = examined(sound, status=1)["identity provider"]
    assert "only for somebody" in finding["detail"]
    assert finding["fix"].startswith("aws iam add-client-id-to-open-id-connect-provider ")


def test_the_certificate_is_looked_at(sound: Shell) -> None:
    records = sound.client("route53").list_resource_record_sets(HostedZoneId=sound.zone)["ResourceRecordSets"]
    (proof,) = (record for record in records if record["Type"] == "CNAME")
    sound.client("route53").change_resource_record_sets(
        HostedZoneId=sound.zone, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": proof}]}
    )
    (finding,) = examined(sound)["certificate"]
    assert finding["verdict"] == "warning" and "can't renew" in finding["detail"]
    (certificate,) = sound.client("acm").list_certificates()["CertificateSummaryList"]
    sound.client("acm").delete_certificate(CertificateArn=certificate["CertificateArn"])
    (finding,) = examined(sound, status=1)["certificate"]
    assert finding["detail"].startswith(f"there is no certificate for api.{DOMAIN} in {REGION}")


def test_a_domain_that_is_delegated_elsewhere_is_found(sound: Shell) -> None:
    own = servers(sound)
    cases = {
        ("ns1.elsewhere.example", "ns2.elsewhere.example"): ("wrong", "DNS has other name servers"),
        (own[0],): ("warning", f"differ from the hosted zone's: {own[0]}"),
        (): ("wrong", "DNS has no name servers"),
    }
    for answer, (verdict, detail) in cases.items():
        with name_server(*answer) as dns:
            done = sound.pennyworth("doctor", "--json", "--dns", dns)
        (finding,) = (one for one in json.loads(done.stdout)["findings"] if one["check"] == "hosted zone")
        assert finding["verdict"] == verdict and detail in finding["detail"]
        assert own[-1] in finding["fix"]


def test_where_dns_can_not_be_asked_it_goes_on(sound: Shell) -> None:
    done = sound.pennyworth("doctor", "--json", "--dns", "127.0.0.1:1")
    assert not done.returncode
    (finding,) = (one for one in json.loads(done.stdout)["findings"] if one["check"] == "hosted zone")
    assert finding["verdict"] == "unknown"


def test_missing_secrets_are_named(sound: Shell) -> None:
    subprocess.run(
        ["gh", "secret", "delete", "AWS_REGION", "--repo", "Octo/pennyworth"],
        env=sound.environ,
        check=True,
        input=b"",
    )
    (finding,) = examined(sound, status=1)["secrets"]
    assert finding["detail"] == "Octo/pennyworth lacks AWS_REGION"
    sound.gh.set_variable("AWS_REGION")
    assert verdicts(examined(sound)) == SOUND
    sound.log_out()
    assert verdicts(examined(sound)) == {**SOUND, "secrets": "unknown", "trust": "unknown"}


def test_the_endpoint_its_roles_and_what_is_in_its_way_are_looked_at(sound: Shell) -> None:
    sound.client("logs").create_log_group(logGroupName="/aws/lambda/endpoint")
    told = sound.bootstrap("--first-deployment", "yes")
    in_the_way = "AWS::Logs::LogGroup /aws/lambda/endpoint exists already, outside of the stack (LogGroup)"
    assert f"! {in_the_way}. A deployment would fail. There is a log group of this name" in told
    stacks = sound.client("cloudformation")
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    }
    stacks.create_stack(
        StackName="endpoint",
        TemplateBody=json.dumps({"Resources": {"FunctionRole": role}}),
        Capabilities=["CAPABILITY_IAM"],
    )
    stacks.get_waiter("stack_create_complete").wait(StackName="endpoint", WaiterConfig={"Delay": 1})
    found = examined(sound, status=1)
    (name_taken,) = found["names"]
    assert name_taken["detail"] == in_the_way
    assert "aws logs delete-log-group --log-group-name /aws/lambda/endpoint." in name_taken["fix"]
    sound.client("logs").delete_log_group(logGroupName="/aws/lambda/endpoint")
    there, first, bounded = found["endpoint"]
    assert there["verdict"] == "ok"
    assert first["verdict"] == "warning" and "pennyworth-first-deployment" in first["detail"]
    assert "lacks the permissions boundary pennyworth-stack-boundary" in bounded["detail"]
    ours = {DEPLOY_ROLE, VIEW_ROLE}
    (name,) = (one["RoleName"] for one in sound.iam.list_roles()["Roles"] if one["RoleName"] not in ours)
    sound.iam.put_role_permissions_boundary(
        RoleName=name, PermissionsBoundary=sound.arn("pennyworth-stack-boundary")
    )
    sound.bootstrap("--first-deployment", "no")
    assert verdicts(examined(sound)) == {**SOUND, "endpoint": "ok"}


def test_alerts_that_nothing_feeds_are_found(sound: Shell) -> None:
    sound.bootstrap("--alert-email", "me@example.com")
    found = examined(sound, status=1)["alerts"]
    assert [finding["verdict"] for finding in found].count("wrong") == 2
    assert "no CloudTrail trail logs us-east-1" in found[-1]["detail"]
    storage = sound.client("s3")
    storage.create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": REGION})
    for region in (REGION, "us-east-1"):
        trails = sound.client("cloudtrail", region)
        trails.create_trail(Name=f"all-{region}", S3BucketName="trail")
        trails.start_logging(Name=f"all-{region}")
    assert verdicts(examined(sound)) == SOUND


def test_an_account_that_was_never_set_up_is_told_what_to_do(shell: Shell) -> None:
    done = shell.pennyworth("doctor", python=sys.executable)
    assert done.returncode == 1
    assert f"no stack pennyworth-bootstrap in {REGION}" in done.stderr
    elsewhere = shell.pennyworth("doctor", "--region", "eu-west-1")
    assert "in eu-west-1" in elsewhere.stderr


def test_it_needs_no_packages_but_its_own() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            "import sys; sys.path.insert(0, 'src'); import pennyworth.cli.doctor",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
