"""The health check's checks against the local AWS and a real gateway: each finds what is well, and what is not."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from tests.names import DEPLOY_ROLE
from tests.shell import DOMAIN, REGION, REPOSITORY, Shell

from pennyworth.aws.account import Account
from pennyworth.aws.provenance import Provenance
from pennyworth.checks import smoke
from pennyworth.checks.finding import Finding, Verdict, line, ok, overall
from pennyworth.checks.health import certificates, history, limits
from pennyworth.checks.health.checks import CHECKS, examine
from pennyworth.checks.health.endpoint import LIGHT, OF_A_KEY, check_endpoint
from pennyworth.checks.health.limits import Limits
from pennyworth.checks.health.rights import find_trust_problems
from pennyworth.checks.health.stack import MOVED, _changed
from pennyworth.checks.health.status import QUICK, fetch_status
from pennyworth.checks.health.subject import Subject
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.host.processes import Child
from pennyworth.iam import passrole
from pennyworth.iam.policy.documents import render_document
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream
from pennyworth.pipeline.steps import health_check

STACK = "endpoint"
KEY = "sk-health-tests"
CODE = "def handler(event, context):\n    return {}\n"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def alarm(metric: str) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"${{AWS::StackName}}-{metric}"},
            "AlarmDescription": f"There are too many {metric}.",
            "Namespace": "AWS/ApiGateway",
            "MetricName": "5XXError",
            "Statistic": "Sum",
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "Period": 60,
            "EvaluationPeriods": 1,
        },
    }


# a small stack with what the checks look at, named as template.yaml names it
TEMPLATE = {
    "Parameters": {
        "AcmCertificateArn": {"Type": "String", "Default": ""},
        "BaseDomain": {"Type": "String", "Default": DOMAIN},
        "LatencyAlarmSeconds": {"Type": "Number", "Default": 60},
        "CorsAllowOrigins": {"Type": "String", "Default": "https://app.example.com"},
    },
    "Resources": {
        "FunctionRole": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": {"Fn::Sub": "${AWS::StackName}-Function-1"},
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "MemorySize": 256,
                "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
                "Code": {"ZipFile": CODE},
            },
        },
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        },
        "LogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": {"Fn::Sub": "/aws/lambda/${AWS::StackName}"},
                "RetentionInDays": 30,
            },
        },
        "ErrorsAlarm": alarm("errors"),
        "ThrottlesAlarm": alarm("throttles"),
    },
    "Outputs": {
        "ApiUrl": {"Value": "https://a1b2c3d4e5.execute-api.us-west-2.amazonaws.com/v1"},
        "CustomDomainUrl": {"Value": f"https://api.{DOMAIN}/v1"},
        "FunctionName": {"Value": {"Ref": "Function"}},
        "FunctionAlias": {"Value": "live"},
        "FunctionVersion": {"Value": {"Ref": "Version"}},
    },
}


class Endpoint:
    """A deployed endpoint whose gateway is a process of this machine."""

    def __init__(self, shell: Shell, gateway: str) -> None:
        self.shell = shell
        self._gateway = gateway
        self.function = f"{STACK}-Function-1"

    def subject(self, **other: Any) -> Subject:
        """It, looked at anew."""
        given = {"key": KEY, "repository": REPOSITORY, "emulator": self._gateway, **other}
        return Subject(Account(REGION), STACK, **given)

    def found(self, check: str, subject: Subject | None = None) -> list[Finding]:
        """What a check finds."""
        others = [name for name in CHECKS if name != check]
        return list(examine(subject or self.subject(), others))

    def worst(self, check: str, subject: Subject | None = None) -> tuple[Verdict, str]:
        """How a check comes out, and all that it says."""
        findings = self.found(check, subject)
        return overall(findings), "\n".join(line(one) for one in findings)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(Answer()) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gateway")
    params = {"model": "openai/scripted", "api_base": upstream.base_url, "api_key": "sk-upstream"}
    config = folder / "config.json"
    config.write_text(json.dumps({"model_list": [{"model_name": "first", "litellm_params": params}]}))
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "PENNYWORTH_CONFIG": str(config),
        "LITELLM_API_KEYS": KEY,
        "CORS_ALLOW_ORIGINS": "https://app.example.com",
        "PORT": "0",
    }
    command = [sys.executable, "-m", "pennyworth.gateway"]
    with Child(command, log=folder / "gateway.log", env=environ) as child:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and child.running():
            for told in child.log.read_text().splitlines():
                if '"listening"' in told:
                    yield f"http://127.0.0.1:{json.loads(told)['port']}"
                    return
            time.sleep(0.05)
        raise AssertionError(child.tail())


@pytest.fixture(scope="module")
def endpoint(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An account that was set up, a stack, and PassRole tightened."""
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environ(REGION).items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        shell = Shell(aws, tmp_path_factory.mktemp("shell"))
        shell.bootstrap("--stack-name", STACK, "--first-deployment", "no")
        (certificate,) = shell.client("acm").list_certificates()["CertificateSummaryList"]
        cloudformation = shell.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=[
                {"ParameterKey": "AcmCertificateArn", "ParameterValue": certificate["CertificateArn"]}
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
        for name in ("errors", "throttles"):
            set_alarm(shell, name, "OK")
        passrole.tighten(passrole.Target(STACK, REGION))
        yield Endpoint(shell, gateway)


def set_alarm(shell: Shell, name: str, state: str) -> None:
    shell.client("cloudwatch").set_alarm_state(
        AlarmName=f"{STACK}-{name}", StateValue=state, StateReason=f"Threshold crossed: {state}"
    )


@contextmanager
def meanwhile(do: Callable[[], Any], undo: Callable[[], Any]) -> Iterator[None]:
    do()
    try:
        yield
    finally:
        undo()


def test_a_sound_endpoint_is_found_well_by_every_check(endpoint: Endpoint) -> None:
    findings = list(examine(endpoint.subject()))
    assert list(dict.fromkeys(one.check for one in findings)) == list(CHECKS)
    unwell = {one.check: line(one) for one in findings if one.verdict != Verdict.OK}
    assert set(unwell) == {"served certificate"}, unwell  # an emulator speaks no TLS
    assert overall(findings) == Verdict.OK
    assert KEY not in repr(findings)


def test_the_light_checks_are_smoke_tests_that_ask_no_model() -> None:
    asks = {check.name: check.asks for check in smoke.CHECKS}
    assert {asks[name] for name in LIGHT} == {"none"}
    assert set(OF_A_KEY) < set(LIGHT)


def test_no_model_is_asked(endpoint: Endpoint, upstream: ScriptedUpstream) -> None:
    before = len(upstream.requests)
    assert endpoint.worst("endpoint")[0] == Verdict.OK
    assert len(upstream.requests) == before


def test_an_endpoint_that_does_not_answer_as_it_should_is_found(endpoint: Endpoint) -> None:
    verdict, said = endpoint.worst("endpoint", endpoint.subject(key="sk-not-this-one"))
    assert verdict == Verdict.UNHEALTHY and "models: " in said
    assert "sk-not-this-one" not in said
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    verdict, said = endpoint.worst("endpoint", endpoint.subject(emulator=f"http://127.0.0.1:{port}"))
    assert verdict == Verdict.UNHEALTHY and "nothing listens" in said


def test_an_endpoint_that_does_not_let_this_machine_in_is_not_called_unhealthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    denied = smoke.Response(403, {}, b'{"error": {"code": "access_denied"}}')
    monkeypatch.setattr(smoke.Endpoint, "call", lambda *_, **__: denied)
    url = "https://api.example.com/v1"

    def verdict(**parameters: str) -> Verdict:
        subject: Any = SimpleNamespace(base_url=url, emulator="", key=KEY, parameters=parameters)
        return overall(check_endpoint(subject))

    assert verdict(AllowedIps="203.0.113.7") == verdict(WebAclArn="arn:acl") == Verdict.UNKNOWN
    assert verdict(AllowedIps="") == Verdict.UNHEALTHY


def test_without_a_key_what_needs_none_is_tried(endpoint: Endpoint) -> None:
    (finding,) = endpoint.found("endpoint", endpoint.subject(key=None))
    assert finding.verdict == Verdict.OK
    assert f"{len(LIGHT) - len(OF_A_KEY)} light smoke tests" in finding.detail
    assert finding.figures["up"] == 1 and finding.figures["first_ms"] >= 0


def described(endpoint: Endpoint, **other: Any) -> Subject:
    """It, with other words of CloudFormation's."""
    subject = endpoint.subject()
    assert subject.described
    subject.__dict__["described"] = replace(subject.described, **other)
    return subject


@pytest.mark.parametrize(
    ("status", "verdict", "said"),
    [
        ("UPDATE_COMPLETE", Verdict.OK, "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE", Verdict.WARNING, "the last deployment failed"),
        ("UPDATE_ROLLBACK_FAILED", Verdict.UNHEALTHY, "`pennyworth recover` continues the rollback"),
        ("ROLLBACK_COMPLETE", Verdict.UNHEALTHY, "Deploy again"),
        ("UPDATE_IN_PROGRESS", Verdict.DEPLOYING, "in progress for 5 min"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Verdict.DEPLOYING, "a deployment has been in progress"),
        ("DELETE_IN_PROGRESS", Verdict.UNHEALTHY, "Somebody is deleting it"),
    ],
)
def test_the_stacks_state_is_judged(endpoint: Endpoint, status: str, verdict: Verdict, said: str) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=5)
    found, told = endpoint.worst("stack", described(endpoint, status=status, begun=begun))
    assert found == verdict and said in told


def test_a_deployment_that_never_ends_is_unhealthy(endpoint: Endpoint) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    subject = described(endpoint, status="UPDATE_IN_PROGRESS", begun=long_ago)
    assert endpoint.worst("stack", subject)[0] == Verdict.UNHEALTHY


def test_while_a_deployment_is_at_work_nothing_else_is_looked_at(endpoint: Endpoint) -> None:
    subject = described(endpoint, status="UPDATE_IN_PROGRESS", begun=datetime.now(UTC))
    findings = list(examine(subject))
    assert [one.check for one in findings] == ["stack"]
    assert overall(findings) == Verdict.DEPLOYING


def test_a_stack_that_is_not_there_is_unhealthy_and_nothing_else_is_looked_at(endpoint: Endpoint) -> None:
    findings = list(examine(Subject(Account(REGION), "nowhere")))
    assert [(one.check, one.verdict) for one in findings] == [("stack", Verdict.UNHEALTHY)]


def test_what_was_changed_by_hand_is_named_without_its_value(endpoint: Endpoint) -> None:
    functions = endpoint.shell.client("lambda")

    def change(memory: int, variables: dict[str, str]) -> None:
        functions.update_function_configuration(
            FunctionName=endpoint.function, MemorySize=memory, Environment={"Variables": variables}
        )

    with meanwhile(lambda: change(512, {"KEY": "sk-secret"}), lambda: change(256, {})):
        verdict, said = endpoint.worst("drift")
    assert verdict == Verdict.WARNING
    assert "Function: " in said and "/MemorySize" in said
    assert "512" not in said and "sk-secret" not in said
    assert endpoint.worst("drift")[0] == Verdict.OK


def test_what_was_deleted_by_hand_is_unhealthy(endpoint: Endpoint) -> None:
    logs = endpoint.shell.client("logs")
    name = f"/aws/lambda/{STACK}"

    def back() -> None:
        logs.create_log_group(logGroupName=name)
        logs.put_retention_policy(logGroupName=name, retentionInDays=30)

    with meanwhile(lambda: logs.delete_log_group(logGroupName=name), back):
        verdict, said = endpoint.worst("drift")
    assert verdict == Verdict.UNHEALTHY and "somebody deleted LogGroup" in said


def test_drift_may_be_left_out(endpoint: Endpoint) -> None:
    verdict, said = endpoint.worst("drift", endpoint.subject(limits=Limits(drift_seconds=0)))
    assert verdict == Verdict.OK and "skipped" in said


def test_what_a_rollback_moves_is_no_drift() -> None:
    kind, (path, *_) = MOVED
    moved = {"PropertyPath": path, "DifferenceType": "NOT_EQUAL"}
    alias = {
        "LogicalResourceId": "Alias",
        "ResourceType": kind,
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": [moved],
    }
    assert not _changed(alias)
    other = {"PropertyPath": "/Description", "DifferenceType": "NOT_EQUAL"}
    assert _changed({**alias, "PropertyDifferences": [moved, other]}) == "Alias: /Description"
    assert _changed({**alias, "ResourceType": "AWS::Lambda::Function"}) == f"Alias: {path}"


def test_a_rolled_back_version_is_a_warning(endpoint: Endpoint) -> None:
    functions = endpoint.shell.client("lambda")
    functions.update_function_code(
        FunctionName=endpoint.function, ZipFile=zipped(CODE + "# another\n"), Publish=True
    )
    aliased = {"FunctionName": endpoint.function, "Name": "live"}

    def point(version: str, **routing: Any) -> None:
        functions.update_alias(**aliased, FunctionVersion=version, **routing)

    with meanwhile(lambda: point("2"), lambda: point("1")):
        verdict, said = endpoint.worst("version")
    assert verdict == Verdict.WARNING and "version 2, not version 1" in said and "rolled back" in said
    share = {"AdditionalVersionWeights": {"2": 0.1}}
    none: dict[str, Any] = {"AdditionalVersionWeights": {}}
    with meanwhile(lambda: point("1", RoutingConfig=share), lambda: point("1", RoutingConfig=none)):
        verdict, said = endpoint.worst("version")
    assert verdict == Verdict.WARNING and "10% version 2" in said
    assert endpoint.worst("version")[0] == Verdict.OK


def test_code_that_somebody_changed_by_hand_is_found(endpoint: Endpoint) -> None:
    functions = endpoint.shell.client("lambda")
    aliased = {"FunctionName": endpoint.function, "Name": "live"}
    deployed = functions.get_function_configuration(FunctionName=endpoint.function, Qualifier="live")
    record = str(Provenance("c" * 40, deployed["CodeSha256"], "0123456789ab"))

    def package(recorded: str = record) -> tuple[Verdict, str]:
        subject = endpoint.subject()
        assert subject.described
        subject.__dict__["described"] = replace(subject.described, parameters={"Provenance": recorded})
        return endpoint.worst("package", subject)

    def publish(description: str) -> str:
        functions.update_function_code(
            FunctionName=endpoint.function, ZipFile=zipped(CODE + f"# {description}\n")
        )
        made = functions.publish_version(FunctionName=endpoint.function, Description=description)
        return str(made["Version"])

    assert package() == (
        Verdict.OK,
        line(replace(ok("version 1 runs the package of commit cccccccccccc"), check="package")),
    )
    assert package("")[0] == Verdict.OK  # a deployment by hand, or of an earlier release
    for description, verdict, words in (
        (
            f"openai python3.13 {record} 0a1b",
            Verdict.UNHEALTHY,
            "runs another package than the deployment recorded",
        ),
        ("by hand", Verdict.WARNING, "has no record of its package"),
    ):
        version = publish(description)

        def point(number: str) -> None:
            functions.update_alias(**aliased, FunctionVersion=number)

        with meanwhile(lambda version=version: point(version), lambda: point("1")):
            found, said = package()
        assert found == verdict and f"version {version} {words}" in said
    # nor does a changed description hide it, where the stack itself has the record
    other = str(Provenance("c" * 40, "A" * 43 + "=", "0123456789ab"))
    assert package(other)[0] == Verdict.UNHEALTHY


def zipped(code: str) -> bytes:
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.py", code)
    return file.getvalue()


def test_alarms_that_have_gone_off_are_named(endpoint: Endpoint) -> None:
    shell = endpoint.shell
    with meanwhile(lambda: set_alarm(shell, "errors", "ALARM"), lambda: set_alarm(shell, "errors", "OK")):
        verdict, said = endpoint.worst("alarms")
    assert verdict == Verdict.UNHEALTHY
    assert f"{STACK}-errors is in ALARM" in said and "There are too many errors." in said
    assert f"{STACK}-throttles" not in said
    cloudwatch = shell.client("cloudwatch")
    names = {"AlarmNames": [f"{STACK}-throttles"]}
    with meanwhile(
        lambda: cloudwatch.disable_alarm_actions(**names), lambda: cloudwatch.enable_alarm_actions(**names)
    ):
        verdict, said = endpoint.worst("alarms")
    assert verdict == Verdict.WARNING and "nobody would be notified" in said
    assert endpoint.worst("alarms")[0] == Verdict.OK


def count(shell: Shell, stack: str, hours_ago: float = 0.5, **metrics: float) -> None:
    """What CloudWatch would have counted of a stack's API or function, at a moment."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    api = [{"Name": "ApiName", "Value": stack}, {"Name": "Stage", "Value": "v1"}]
    function = [{"Name": "FunctionName", "Value": f"{STACK}-Function-1"}]
    of_lambda = {"Throttles", "Errors", "Invocations", "ConcurrentExecutions"}
    for name, value in metrics.items():
        own = name in of_lambda
        metric = "5XXError" if name == "Failed" else "4XXError" if name == "Refused" else name
        shell.client("cloudwatch").put_metric_data(
            Namespace="AWS/Lambda" if own else "AWS/ApiGateway",
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": function if own else api,
                    "Timestamp": at,
                    "Value": value,
                }
            ],
        )


def test_traffic_is_judged_by_its_errors_and_times(endpoint: Endpoint) -> None:
    """In one test, as what was counted can't be taken back."""
    shell = endpoint.shell
    verdict, said = endpoint.worst("traffic")
    assert verdict == Verdict.OK and "no requests in the last 4 hours" in said
    count(shell, STACK, hours_ago=40, Count=1000, Failed=1000)  # long ago
    count(shell, "another", Count=1000, Failed=1000)
    count(shell, STACK, Count=10, Failed=1)
    verdict, said = endpoint.worst("traffic")
    assert verdict == Verdict.WARNING and "too few to judge" in said
    count(shell, STACK, Count=990, Failed=9, Refused=7, Latency=9000, ConcurrentExecutions=3)
    (finding,) = endpoint.found("traffic")
    assert finding.verdict == Verdict.OK
    assert finding.detail == (
        "1000 requests in the last 4 hours: 10 failed (1.0 %), 7 refused (4xx), at most 3 at once;"
        " p95 latency up to 9.0 s"
    )
    assert finding.figures == {"requests": 1000, "error_percent": 1.0, "p95_ms": 9000}
    tight = endpoint.subject(limits=Limits(max_error_percent=0.5))
    assert endpoint.worst("traffic", tight)[0] == Verdict.UNHEALTHY
    tight = endpoint.subject(limits=Limits(max_p95_seconds=5))
    verdict, said = endpoint.worst("traffic", tight)
    assert verdict == Verdict.UNHEALTHY and "9.0 s, above the limit of 5 s" in said
    stacks_own = described(endpoint, parameters={"LatencyAlarmSeconds": "8"})
    assert endpoint.worst("traffic", stacks_own)[0] == Verdict.UNHEALTHY
    few = endpoint.subject(limits=Limits(max_p95_seconds=5, min_requests=2000))
    assert endpoint.worst("traffic", few)[0] == Verdict.WARNING  # some failed, too few to judge by
    count(shell, STACK, Throttles=4)
    verdict, said = endpoint.worst("traffic")
    assert verdict == Verdict.WARNING and "throttled 4 requests" in said
    count(shell, STACK, Invocations=1000, Errors=10)
    verdict, said = endpoint.worst("traffic")
    assert verdict == Verdict.WARNING and "crashed 10 times in the last 4 hours (1.0 %)" in said
    count(shell, STACK, Errors=90)
    assert endpoint.worst("traffic")[0] == Verdict.UNHEALTHY


def acm(endpoint: Endpoint, patch: pytest.MonkeyPatch, **told: Any) -> tuple[Verdict, str]:
    """What the check says where ACM describes the certificate in other words."""
    subject = endpoint.subject()
    client = subject.account.client("acm")
    real = client.describe_certificate

    def describe_certificate(**given: Any) -> Any:
        return {"Certificate": {**real(**given)["Certificate"], "InUseBy": ["arn:aws:apigateway"], **told}}

    patch.setattr(client, "describe_certificate", describe_certificate)
    return endpoint.worst("certificate", subject)


@pytest.mark.parametrize(
    ("told", "verdict", "said"),
    [
        ({"NotAfter": timedelta(days=200)}, Verdict.OK, "for 200 more days"),
        ({"NotAfter": timedelta(days=25)}, Verdict.WARNING, "for 25 more days"),
        ({"NotAfter": timedelta(days=10)}, Verdict.UNHEALTHY, "for 10 more days"),
        ({"NotAfter": timedelta(days=-2)}, Verdict.UNHEALTHY, "expired 2 days ago"),
        ({"NotAfter": timedelta(days=10), "Type": "IMPORTED"}, Verdict.UNHEALTHY, "import a new one"),
        ({"Status": "VALIDATION_TIMED_OUT"}, Verdict.UNHEALTHY, "the certificate is VALIDATION_TIMED_OUT"),
        (
            {"RenewalSummary": {"RenewalStatus": "PENDING_VALIDATION"}},
            Verdict.WARNING,
            "Run `pennyworth bootstrap`",
        ),
        ({"RenewalSummary": {"RenewalStatus": "FAILED"}}, Verdict.UNHEALTHY, "could not renew"),
        ({"RenewalSummary": {"RenewalStatus": "SUCCESS"}}, Verdict.OK, "more days"),
    ],
)
def test_what_acm_says_of_the_certificate_is_judged(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, Any],
    verdict: Verdict,
    said: str,
) -> None:
    now = datetime.now(UTC) + timedelta(hours=1)
    words = {name: now + one if isinstance(one, timedelta) else one for name, one in told.items()}
    found, all_of_it = acm(endpoint, monkeypatch, **words)
    assert found == verdict and said in all_of_it


def test_a_certificate_that_nothing_uses_is_a_warning(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not on an emulator, which does not tell."""
    assert endpoint.worst("certificate")[0] == Verdict.OK
    verdict, said = endpoint.worst("certificate", endpoint.subject(emulator=""))
    assert verdict == Verdict.WARNING and "not in use" in said


def test_a_certificate_that_is_gone_can_not_be_told(endpoint: Endpoint) -> None:
    gone = "arn:aws:acm:us-west-2:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    subject = described(endpoint, parameters={"AcmCertificateArn": gone})
    verdict, said = endpoint.worst("certificate", subject)
    assert verdict == Verdict.UNKNOWN and "DescribeCertificate failed" in said


def test_without_a_domain_no_certificate_is_needed(endpoint: Endpoint) -> None:
    subject = described(endpoint, outputs={})
    for check in ("certificate", "served certificate"):
        assert endpoint.worst(check, subject)[0] == Verdict.OK


# makes a certificate for a name, good until some days from now, that vouches for itself
CERTIFICATE = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
name, days, certificate, key = sys.argv[1:]
own = ec.generate_private_key(ec.SECP256R1())
called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
now = datetime.now(UTC)
made = (
    x509.CertificateBuilder()
    .subject_name(called)
    .issuer_name(called)
    .public_key(own.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - timedelta(days=100))
    .not_valid_after(now + timedelta(days=int(days), hours=1))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    .sign(own, hashes.SHA256())
)
Path(certificate).write_bytes(made.public_bytes(serialization.Encoding.PEM))
plain = serialization.NoEncryption()
Path(key).write_bytes(own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
"""


@contextmanager
def tls_server(folder: Path, days: int, name: str = "localhost") -> Iterator[tuple[tuple[str, int], Path]]:
    """A server that shows a certificate of its own making: its address, and the certificate."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = [environment("localaws") / "python", "-c", CERTIFICATE, name, str(days), certificate, key]
    subprocess.run(made, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection, context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                pass  # a client that refuses the certificate

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield address, certificate
        thread.join(10)


@pytest.mark.parametrize(
    ("days", "name", "verdict", "said"),
    [
        (90, "localhost", Verdict.OK, "for 90 more days"),
        (25, "localhost", Verdict.WARNING, "for 25 more days"),
        (5, "localhost", Verdict.UNHEALTHY, "for 5 more days"),
        (-3, "localhost", Verdict.UNHEALTHY, "callers can't verify the certificate: certificate has expired"),
        (90, "other.example", Verdict.UNHEALTHY, "callers can't verify the certificate"),
    ],
)
def test_the_certificate_that_callers_see_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, name: str, verdict: Verdict, said: str
) -> None:
    with tls_server(tmp_path, days, name) as (address, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        found = certificates.check_shown_certificate("localhost", address, 20)
    assert found.verdict == verdict and said in found.detail


def test_a_certificate_that_nobody_vouches_for_or_shows_is_unhealthy(tmp_path: Path) -> None:
    with tls_server(tmp_path, 90) as (address, _):
        assert (
            "callers can't verify the certificate"
            in certificates.check_shown_certificate("localhost", address, 20).detail
        )
    assert (
        "no TLS connection to localhost"
        in certificates.check_shown_certificate("localhost", address, 20).detail
    )  # it is gone
    nowhere = certificates.check_shown_certificate("nowhere.invalid", ("nowhere.invalid", 443), 20)
    assert nowhere.verdict == Verdict.UNHEALTHY and "does not resolve" in nowhere.detail


def test_a_wider_passrole_is_found_and_tightening_mends_it(endpoint: Endpoint) -> None:
    shell = endpoint.shell
    document = shell.policy("pennyworth-deployment")
    wide = json.loads(json.dumps(document))
    for statement in wide["Statement"]:
        if statement["Action"] == "iam:PassRole":
            statement["Resource"] = f"arn:aws:iam::123456789012:role/{STACK}-*"
    shell.iam.create_policy_version(
        PolicyArn=shell.arn("pennyworth-deployment"), PolicyDocument=json.dumps(wide), SetAsDefault=True
    )
    before = shell.policy("pennyworth-deployment")
    verdict, said = endpoint.worst("passrole")
    assert verdict == Verdict.UNHEALTHY and "does not name exactly" in said
    assert shell.policy("pennyworth-deployment") == before  # looked at, not fixed
    passrole.tighten(passrole.Target(STACK, REGION))
    assert endpoint.worst("passrole")[0] == Verdict.OK


def test_passrole_by_another_policy_is_found(endpoint: Endpoint) -> None:
    allowed = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    of = {"RoleName": DEPLOY_ROLE, "PolicyName": "extra"}
    iam = endpoint.shell.iam
    boundary = iam.get_role(RoleName=DEPLOY_ROLE)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]

    def widen() -> None:
        iam.put_role_policy(**of, PolicyDocument=document)
        iam.delete_role_permissions_boundary(RoleName=DEPLOY_ROLE)

    def back() -> None:
        iam.delete_role_policy(**of)
        iam.put_role_permissions_boundary(RoleName=DEPLOY_ROLE, PermissionsBoundary=boundary)

    with meanwhile(widen, back):
        verdict, said = endpoint.worst("passrole")
        assert verdict == Verdict.UNHEALTHY and "can also pass" in said
        verdict, said = endpoint.worst("rights")
        assert verdict == Verdict.UNHEALTHY
        assert "an unexpected inline policy, extra" in said and "role's boundary" in said
    assert endpoint.worst("rights")[0] == Verdict.OK


def test_a_role_or_policy_of_somebody_elses_making_is_not_judged(endpoint: Endpoint) -> None:
    elsewhere = replace(endpoint.subject(), given_role="another-role", given_policy="another-policy")
    assert endpoint.worst("passrole", elsewhere)[0] == Verdict.UNKNOWN
    assert endpoint.worst("trust", elsewhere)[0] == Verdict.UNKNOWN


def test_a_changed_trust_is_found(endpoint: Endpoint) -> None:
    iam = endpoint.shell.iam
    document = endpoint.shell.role()["AssumeRolePolicyDocument"]
    changed = json.loads(json.dumps(document).replace("StringEquals", "StringLike"))

    def put(one: dict[str, Any]) -> None:
        iam.update_assume_role_policy(RoleName=DEPLOY_ROLE, PolicyDocument=json.dumps(one))

    with meanwhile(lambda: put(changed), lambda: put(document)):
        assert endpoint.worst("trust")[0] == Verdict.UNHEALTHY
        verdict, said = endpoint.worst("rights")
        assert verdict == Verdict.UNHEALTHY and "trust policy: changed" in said
    assert endpoint.worst("trust")[0] == Verdict.OK


GITHUB = "token.actions.githubusercontent.com"
GOOD_SUBJECTS = ["repo:Octo/pennyworth:ref:refs/heads/main", "repo:Octo@1/pennyworth@2:environment:live"]


def trust(subjects: list[str], **other: Any) -> dict[str, Any]:
    document = render_document("trust", {"ACCOUNT_ID": "123456789012", "SUBJECTS": subjects})
    document["Statement"][0].update(other)
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (trust(["repo:Octo/pennyworth:*"]), "wildcard"),
        (trust(["repo:Other/pennyworth:ref:refs/heads/main"]), "is another repository"),
        (trust(["repo:Octo/pennyworth:pull_request"]), "pull request"),
        (trust(["Octo/pennyworth"]), "does not name a repository"),
        (trust([]), "does not restrict sub"),
        (trust(GOOD_SUBJECTS, Condition={}), "does not restrict aud"),
        (trust(GOOD_SUBJECTS, Principal="*"), "others than GitHub"),
        (trust(GOOD_SUBJECTS, Principal={"AWS": "arn:aws:iam::1:root"}), "others than GitHub"),
        (
            trust(
                GOOD_SUBJECTS,
                Condition={
                    "ForAllValues:StringEquals": {f"{GITHUB}:sub": GOOD_SUBJECTS},
                    "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
                },
            ),
            "ForAllValues",
        ),
        (
            trust(
                GOOD_SUBJECTS,
                Condition={
                    "StringLike": {f"{GITHUB}:sub": "repo:Octo/*"},
                    "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
                },
            ),
            "does not restrict sub",
        ),
        ({"Version": "2012-10-17", "Statement": []}, "trusts nobody"),
    ],
)
def test_each_wrong_trust_is_told(document: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in find_trust_problems(document, REPOSITORY))


def test_the_right_trust_has_no_problem() -> None:
    assert list(find_trust_problems(trust(GOOD_SUBJECTS), REPOSITORY)) == []
    others = trust(["repo:Other/thing:ref:refs/heads/main"])
    assert list(find_trust_problems(others)) == []  # whose it should be is not known


def test_a_refusal_is_unknown_and_names_the_right_that_is_missing(tmp_path: Path) -> None:
    with LocalAws(auth=True) as aws, pytest.MonkeyPatch.context() as patch:
        shell = Shell(aws, tmp_path)
        shell.iam.create_user(UserName="nobody")
        allowed = {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"}
        shell.iam.put_user_policy(
            UserName="nobody",
            PolicyName="little",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        )
        key = shell.iam.create_access_key(UserName="nobody")["AccessKey"]
        shell.client("cloudformation").create_stack(
            StackName=STACK, TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"]
        )
        shell.client("cloudformation").get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1}
        )
        own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        for name, value in {**aws.environ(REGION), **own}.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        findings = list(examine(Subject(Account(REGION), STACK), skip=["endpoint", "served certificate"]))
    assert {one.check: one.verdict for one in findings} == {
        "stack": Verdict.OK,
        "certificate": Verdict.UNKNOWN,
        "version": Verdict.UNKNOWN,
        "package": Verdict.OK,  # the deployment recorded none
        "traffic": Verdict.UNKNOWN,
        "alarms": Verdict.UNKNOWN,
        "drift": Verdict.UNKNOWN,
        "passrole": Verdict.UNKNOWN,
        "trust": Verdict.UNKNOWN,
        "rights": Verdict.UNKNOWN,
    }
    (told,) = (one for one in findings if one.check == "version")
    assert "GetAlias" in told.detail and "policies/view.json" in told.fix


def test_limits_come_from_the_environment() -> None:
    assert Limits.from_environ({"WINDOW_HOURS": "12", "MIN_REQUESTS": ""}) == Limits(window_hours=12)
    with pytest.raises(OperationFailed):
        Limits.from_environ({"CERTIFICATE_DAYS": "many"})
    assert limits.describe()["window-hours"] == ("Hours of CloudWatch metrics to evaluate", "4")


def test_the_action_and_its_workflow_take_every_limit_with_its_default() -> None:
    action = yaml.safe_load((ROOT / "actions" / "health-check" / "action.yml").read_text())["inputs"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "health-check.yml").read_text())
    called = workflow[True]["workflow_call"]["inputs"]  # YAML reads `on` so
    for name, (describe, default) in limits.describe().items():
        assert (action[name]["description"], action[name]["default"]) == (describe, default)
        assert (called[name]["description"], f"{called[name]['default']:g}") == (describe, default)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a step's outputs."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    return tmp_path / "output"


def step(endpoint: Endpoint, **settings: str) -> str:
    """The step, with a history and without an issue."""
    subject = endpoint.subject()
    return health_check.run(
        {
            "STACK_NAME": STACK,
            "AWS_REGION": REGION,
            "LITELLM_API_KEYS": f"{KEY},sk-another",
            "GITHUB_REPOSITORY": REPOSITORY,
            "AWS_ENDPOINT_URL": subject.emulator,
            "SKIP": "traffic",
            **settings,
        }
    )


def test_the_step_tells_keeps_a_history_and_fails_where_it_is_asked_to(
    endpoint: Endpoint,
    told: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    shell, file = endpoint.shell, tmp_path / "history.jsonl"
    assert step(endpoint, HISTORY=str(file)).startswith("✅ **The endpoint is healthy.**")
    assert told.read_text() == "verdict=ok\nhealthy=true\n"
    off = {"AlarmNames": [f"{STACK}-errors"]}
    cloudwatch = shell.client("cloudwatch")
    with meanwhile(
        lambda: cloudwatch.disable_alarm_actions(**off), lambda: cloudwatch.enable_alarm_actions(**off)
    ):
        assert step(endpoint, HISTORY=str(file)).startswith(
            "⚠️ **The endpoint works, but there are warnings.**"
        )
        with pytest.raises(OperationFailed) as strictly:
            step(endpoint, HISTORY=str(file), STRICT="true")
    assert strictly.value.report.startswith("❌ **The endpoint is unhealthy.**")
    assert "alarms" in strictly.value.detail and "served certificate" in strictly.value.detail
    with meanwhile(lambda: set_alarm(shell, "errors", "ALARM"), lambda: set_alarm(shell, "errors", "OK")):
        assert step(endpoint, HISTORY=str(file), FAIL="false").startswith("❌ **The endpoint is unhealthy.**")
    assert [one.verdict for one in history.read(file)] == ["ok", "warning", "unhealthy", "unhealthy"]
    assert told.read_text().splitlines()[-2:] == ["verdict=unhealthy", "healthy=false"]
    printed = capsys.readouterr().out
    assert f"::add-mask::{KEY}\n::add-mask::sk-another\n" in printed
    assert KEY not in printed.replace(f"::add-mask::{KEY}", "")


@pytest.mark.parametrize(
    ("settings", "title"),
    [
        ({"SKIP": "nothing"}, "There is no check named nothing"),
        ({"WINDOW_HOURS": "-1"}, "WINDOW_HOURS is '-1'"),
        ({"FAIL": "maybe"}, "FAIL is neither true nor false"),
        ({"STACK_NAME": ""}, "STACK_NAME is not set"),
    ],
)
def test_a_wrong_setting_is_told(endpoint: Endpoint, settings: dict[str, str], title: str) -> None:
    with pytest.raises(OperationFailed) as failed:
        step(endpoint, **settings)
    assert failed.value.title == title


def test_the_command_shows_it_as_a_person_reads_it(endpoint: Endpoint) -> None:
    shell = endpoint.shell
    given = ("health", "--stack-name", STACK, "--region", REGION, "--skip", "endpoint", "--skip", "traffic")
    done = shell.pennyworth(*given)
    assert not done.returncode, done.stdout + done.stderr
    assert "✓ stack               CREATE_COMPLETE\n" in done.stdout
    assert "::" not in done.stdout
    told = json.loads(shell.pennyworth(*given, "--json").stdout)
    assert told["verdict"] == "ok"
    assert {one["check"] for one in told["findings"]} == set(CHECKS) - {"endpoint", "traffic"}
    assert "| ✅ | version |" in shell.pennyworth(*given, "--markdown").stdout
    with meanwhile(lambda: set_alarm(shell, "errors", "ALARM"), lambda: set_alarm(shell, "errors", "OK")):
        done = shell.pennyworth(*given)
    assert done.returncode == 1 and "The endpoint is unhealthy." in done.stderr


def test_the_status_says_what_is_deployed_and_where(endpoint: Endpoint) -> None:
    shell = endpoint.shell
    place = ("--stack-name", STACK, "--region", REGION)
    # the custom domain is served at the gateway's address; AWS's calls go where they go
    done = shell.pennyworth("status", *place)
    assert "state          CREATE_COMPLETE\n" in done.stdout
    assert f"base URL       https://api.{DOMAIN}/v1\n" in done.stdout
    assert "endpoint-errors OK, endpoint-throttles OK" in done.stdout
    with meanwhile(lambda: set_alarm(shell, "errors", "ALARM"), lambda: set_alarm(shell, "errors", "OK")):
        unwell = shell.pennyworth("status", *place, "--json")
    told = json.loads(unwell.stdout)
    assert unwell.returncode == 1 and not told["healthy"] and told["verdict"] == "unhealthy"
    assert told["alarms"]["endpoint-errors"] == "ALARM"
    assert told["version"] == told["deployed_version"]
    assert told["links"]["stack"].startswith(f"https://{REGION}.console.aws.amazon.com/cloudformation/")
    absent = shell.pennyworth("status", "--stack-name", "nowhere", "--region", REGION, "--json")
    assert absent.returncode == 1
    assert json.loads(absent.stdout)["state"] == ""
    assert not unwell.stdout.startswith(" ") and "looking at" in unwell.stderr


def test_the_status_has_models_and_counts_keys_and_shows_none(endpoint: Endpoint) -> None:
    ssm = endpoint.shell.client("ssm")
    names = {"LITELLM_API_KEYS": "sk-canary-1,sk-canary-2", "LITELLM_API_KEYS/alice": "sk-canary-2"}
    for name, value in names.items():
        ssm.put_parameter(Name=f"/{STACK}/credentials/{name}", Value=value, Type="SecureString")
    subject = endpoint.subject()
    assert subject.described
    outputs = {**subject.outputs, "CredentialsPath": f"/{STACK}/credentials"}
    subject.__dict__["described"] = replace(subject.described, outputs=outputs)
    seen: list[str] = []
    status = fetch_status(subject, seen.append)
    # what other tests left in the metrics is no matter here
    unwell = [line(one) for one in status.findings if one.verdict != Verdict.OK and one.check != "traffic"]
    assert not unwell
    assert replace(status, verdict=Verdict.WARNING).healthy
    assert not replace(status, verdict=Verdict.UNHEALTHY).healthy
    assert status.models == ["first"]
    assert status.api_keys == 2
    assert (status.software or "").startswith("pennyworth ")
    assert {one.check for one in status.findings} == set(QUICK)
    assert len(seen) >= len(QUICK)
    assert "sk-canary" not in repr(status) and KEY not in repr(status)


def test_the_command_says_what_it_lacks(endpoint: Endpoint) -> None:
    done = endpoint.shell.pennyworth("health", STACK_NAME="", AWS_REGION="", AWS_DEFAULT_REGION="")
    assert done.returncode == 2 and "--stack-name is missing" in done.stderr
    done = endpoint.shell.pennyworth("health", "--stack-name", STACK, "--skip", "nothing")
    assert done.returncode == 2 and "There is no check named nothing" in done.stderr
