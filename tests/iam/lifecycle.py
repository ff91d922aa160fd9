"""The stack from its first deployment to its deletion, on a local AWS that writes down each call.

By the account's root, so that what the documents lack is called and found all the same.
"""

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from samtranslator.yaml_helper import yaml_parse

from pennyworth.aws.packages import name_package_bucket
from pennyworth.host.environments import clean_environ
from pennyworth.host.places import ROOT
from pennyworth.host.processes import Child
from pennyworth.iam.policy.documents import DEPLOYMENT, render_document
from pennyworth.local.aws.server import LocalAws
from pennyworth.pipeline.build import FUNCTION, Target
from tests import warm
from tests.names import DEPLOY_ROLE, MANAGED_POLICIES, VIEW_ROLE

from .account import ACCOUNT, PULL_REQUEST, REGION, STACK, SUBJECT, VALUES

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
_LIMIT_SECONDS = 120

TWO_OF_ONE_NAME = {
    "One": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Type": "String", "Name": f"/{STACK}/one", "Value": "one"},
    },
    "Other": {
        "Type": "AWS::SSM::Parameter",
        "DependsOn": "One",
        "Properties": {"Type": "String", "Name": f"/{STACK}/one", "Value": "other"},
    },
}
"""Resources of which the second can't be made."""


@dataclass
class Recorded:
    """What a deployment called."""

    values: Mapping[str, str | Sequence[str]]
    """The account's names."""
    calls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By what was being done."""
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What services said after the update, which set all that a reviewer asks for, and after the rollout without it."""


LOOKING = {"preview", "health check"}
"""What is done by the view role."""


@contextmanager
def local_account(**options: Any) -> Iterator[tuple[LocalAws, dict[str, str | Sequence[str]]]]:
    """A local AWS with the provider, both roles and their policies, and the account's names."""
    with LocalAws(auth=True, **options) as aws:
        zone = client(aws, "route53").create_hosted_zone(
            Name=str(VALUES["BASE_DOMAIN"]), CallerReference="one"
        )
        values = {**VALUES, "HOSTED_ZONE_ID": zone["HostedZone"]["Id"].rpartition("/")[2]}
        iam = client(aws, "iam")
        iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE])
        policies = {
            document: iam.create_policy(
                PolicyName=name, PolicyDocument=json.dumps(render_document(document, values))
            )
            for document, name in MANAGED_POLICIES.items()
        }
        iam.create_role(
            RoleName=DEPLOY_ROLE,
            AssumeRolePolicyDocument=json.dumps(render_document("trust", values)),
            PermissionsBoundary=policies["deploy-boundary"]["Policy"]["Arn"],
        )
        for name in (*DEPLOYMENT, "first-deployment"):
            iam.attach_role_policy(RoleName=DEPLOY_ROLE, PolicyArn=policies[name]["Policy"]["Arn"])
        looking = {**values, "SUBJECTS": [SUBJECT, PULL_REQUEST]}
        iam.create_role(
            RoleName=VIEW_ROLE,
            AssumeRolePolicyDocument=json.dumps(render_document("trust", looking)),
            PermissionsBoundary=policies["view"]["Policy"]["Arn"],
        )
        iam.attach_role_policy(RoleName=VIEW_ROLE, PolicyArn=policies["view"]["Policy"]["Arn"])
        client(aws, "s3").create_bucket(
            Bucket=name_package_bucket(ACCOUNT, REGION, STACK),
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )
        yield aws, values


def record(built: Path, folder: Path) -> Recorded:
    """Deploy into a new account, look at it, update, roll out gradually, go back, fail to update, delete; and tighten
    PassRole now and then.

    Args:
        built: the template as `sam build` leaves it.
        folder: takes logs and templates.
    """
    with local_account(record=folder / "calls") as (aws, values):
        recorded = Recorded(values)
        environ = {
            name: value for name, value in clean_environ().items() if not name.startswith("AWS_")
        } | aws.environ(REGION)
        target = Target.here()
        deploy = {
            "PYTHONPATH": str(ROOT / "src"),
            "TEMPLATE": str(built),
            "STACK_NAME": STACK,
            "RUNNER_TEMP": str(folder),
            "PARAMETER_BaseDomain": str(values["BASE_DOMAIN"]),
            "PARAMETER_Route53HostedZoneId": str(values["HOSTED_ZONE_ID"]),
            "PARAMETER_ApiKeys": "sk-one",
            "PARAMETER_AlarmEmail": "me@example.com",
            "PARAMETER_PythonRuntime": f"python{target.python}",
            "PARAMETER_Architecture": target.architecture,
        }
        step, tighten, rollback, prune, preview, health = (
            [warm.tools() / "python", "-m", "pennyworth.pipeline.steps", name]
            for name in ("deploy", "tighten-passrole", "rollback", "prune", "preview", "health-check")
        )
        gradual = {"PARAMETER_MemorySize": "512", "PARAMETER_Rollout": "canary-10-percent-5-minutes"}
        reviewed = {f"PARAMETER_{name}": value for name, value in _reviewed(aws).items()}
        reviewed["TAGS"] = "team=platform\ncost centre=42"
        ready = {"PARAMETER_ProvisionedConcurrency": "2"}
        looking = deploy | {"FAIL": "false", "SKIP": "endpoint,served certificate"}
        delete: list[str | Path] = [warm.tools() / "sam", "delete", "--no-prompts"]
        delete += ["--stack-name", STACK, "--region", REGION]
        broken = {"TEMPLATE": str(_broken(built, folder))}
        actions: Sequence[tuple[str, Sequence[str | Path], dict[str, str], bool]] = [
            ("prepare", tighten, deploy | {"PREPARE": str(built)}, True),
            ("create", step, deploy, True),
            ("tighten", tighten, deploy, True),
            ("preview", preview, looking | gradual, True),
            ("prepare a gradual rollout", tighten, deploy | {"PREPARE": str(built)}, True),
            ("update", step, deploy | gradual | reviewed, True),
            ("tighten both", tighten, deploy, True),
            ("roll out", step, deploy | gradual | ready | {"PARAMETER_MemorySize": "256"}, True),
            ("health check", health, looking, True),
            ("go back", rollback, deploy, True),
            ("prune", prune, deploy | {"KEEP_VERSIONS": "1"}, True),
            ("rollback", step, deploy | broken, False),
            ("restore", tighten, deploy | {"RESTORE": "true"}, True),
            ("delete", delete, {}, True),
        ]
        seen = len(_calls(folder))
        for what, command, more, succeeds in actions:
            with Child(command, log=folder / f"{what}.log", env=environ | more) as child:
                status = child.wait(_LIMIT_SECONDS)
            assert (status == 0) is succeeds, (folder / f"{what}.log").read_text()
            calls = _calls(folder)
            recorded.calls[what], seen = calls[seen:], len(calls)
            if look := {"update": _look, "roll out": _look_again}.get(what):
                recorded.seen[what] = look(aws)
                seen = len(_calls(folder))  # those were the test's own
    return recorded


def _reviewed(aws: LocalAws) -> dict[str, str]:
    """What a reviewer asks for, as parameters: all but those that exclude others."""
    acl = client(aws, "wafv2").create_web_acl(
        Name="mine",
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig={
            "SampledRequestsEnabled": False,
            "CloudWatchMetricsEnabled": False,
            "MetricName": "mine",
        },
    )
    return {
        "AccessLogs": "yes",
        "AllowedIps": "127.0.0.0/8,::1/128",
        "ExecuteApiEndpoint": "no",
        "IpAddressType": "dualstack",
        "KeepWarm": "5",
        "KmsKeyArn": client(aws, "kms").create_key()["KeyMetadata"]["Arn"],
        "MaxConcurrency": "7",
        "SecurityGroupIds": "sg-0a1b2c3d",
        "SubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e",
        "ThrottleBurst": "20",
        "ThrottleRate": "10",
        "Tracing": "yes",
        "WebAclArn": acl["Summary"]["ARN"],
    }


def _look(aws: LocalAws) -> dict[str, Any]:
    """What services say of what the stack has made."""
    stack = client(aws, "cloudformation")
    resources = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in stack.describe_stack_resources(StackName=STACK)["StackResources"]
    }
    gateway, rule, zone = client(aws, "apigateway"), f"{STACK}-keep-warm", VALUES["BASE_DOMAIN"]
    api = resources["Api"]
    targets = client(aws, "events").list_targets_by_rule(Rule=rule)["Targets"]
    (found,) = client(aws, "route53").list_hosted_zones()["HostedZones"]
    records = client(aws, "route53").list_resource_record_sets(HostedZoneId=found["Id"])["ResourceRecordSets"]
    return {
        "outputs": {
            one["OutputKey"] for one in stack.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        },
        "api": gateway.get_rest_api(restApiId=api),
        "stage": gateway.get_stage(restApiId=api, stageName="v1"),
        "domain": gateway.get_domain_name(domainName=f"api.{zone}"),
        "records": {one["Type"] for one in records if one["Name"].startswith("api.")},
        "groups": client(aws, "logs").describe_log_groups()["logGroups"],
        "function": client(aws, "lambda").get_function(FunctionName=resources["Function"]),
        "ping": _invoke(aws, resources["Function"], targets[0]["Input"]),
        "rule": client(aws, "events").describe_rule(Name=rule),
        "targets": targets,
        "acl": client(aws, "wafv2").list_resources_for_web_acl(
            WebACLArn=resources["WebAclAssociation"].split("|")[0]
        ),
        "topic": client(aws, "sns").get_topic_attributes(TopicArn=resources["AlarmTopic"])["Attributes"],
    }


def _look_again(aws: LocalAws) -> dict[str, Any]:
    """What services say once nothing is asked for but environments that are kept ready."""
    stack = client(aws, "cloudformation")
    resources = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in stack.describe_stack_resources(StackName=STACK)["StackResources"]
    }
    return {
        "resources": resources,
        "tags": stack.describe_stacks(StackName=STACK)["Stacks"][0]["Tags"],
        "stage": client(aws, "apigateway").get_stage(restApiId=resources["Api"], stageName="v1"),
        "ready": client(aws, "lambda").get_provisioned_concurrency_config(
            FunctionName=resources["Function"], Qualifier="live"
        ),
    }


def _invoke(aws: LocalAws, function: str, event: str) -> str:
    """What the version before callers answers to an event, with what stands before the body of a stream."""
    answer = client(aws, "lambda").invoke(FunctionName=function, Qualifier="live", Payload=event)
    return str(answer["Payload"].read().decode())


def client(aws: LocalAws, service: str) -> Any:
    """A client for the account's root."""
    environ = aws.environ(REGION)
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


def credentials(aws: LocalAws, web_identity: str, role: str = DEPLOY_ROLE) -> dict[str, str]:
    """A role's credentials for whom an identity token vouches, as environment variables."""
    given = client(aws, "sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        RoleSessionName="test",
        WebIdentityToken=web_identity,
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def token(
    subject: str | None = SUBJECT, audience: str | None = AUDIENCE, issuer: str = ISSUER, **more: Any
) -> str:
    """An unsigned token as GitHub's: the emulator reads its claims and takes its word.

    Args:
        subject: `sub`; None leaves it out.
        audience: `aud`; None leaves it out.
        issuer: `iss` without its scheme.
        more: other claims, or these.
    """
    now = int(time.time())
    claims = {"iss": f"https://{issuer}", "sub": subject, "aud": audience, "iat": now, "exp": now + 300}
    claims |= more
    parts = ({"alg": "none", "typ": "JWT"}, {name: value for name, value in claims.items() if value})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


def _broken(built: Path, folder: Path) -> Path:
    """The same stack and in it what fails."""
    template = yaml_parse(built.read_text())
    template["Resources"] |= TWO_OF_ONE_NAME
    template["Resources"][FUNCTION]["Properties"]["CodeUri"] = str(built.parent / FUNCTION)
    path = folder / "broken.yaml"
    path.write_text(json.dumps(template))
    return path


def _calls(folder: Path) -> list[dict[str, Any]]:
    path = folder / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
