"""Two endpoints in one account: each is deployed, updated and deleted by its own role alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.rehearsal.account import client
from tests.rehearsal.conftest import like

from pennyworth.aws.names import Names
from pennyworth.iam.bootstrap_template.template import TEMPLATE
from pennyworth.iam.policy.documents import MANAGED
from pennyworth.iam.settings import list_claims
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.local.rehearsal.repository import REGION, REPOSITORY, STACK, Repository

SECOND = "staging"
NAMES = Names(f"-{SECOND}")


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def set_up(aws: LocalAws) -> None:
    """Set up the second endpoint, as policies/README.md says."""
    stacks = client(aws, "cloudformation")
    given = {
        "Repository": REPOSITORY,
        "Subjects": ",".join(list_claims(REPOSITORY, "", "", ["main"], [])),
        "Region": REGION,
        "StackName": SECOND,
        "NameSuffix": NAMES.suffix,
        "ExistingOidcProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
    }
    stacks.create_stack(
        StackName=NAMES.bootstrap_stack,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stacks.get_waiter("stack_create_complete").wait(
        StackName=NAMES.bootstrap_stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


@pytest.fixture
def second(origin: Repository, deployed_aws: LocalAws) -> Iterator[Repository]:
    """A repository that deploys the second endpoint beside the first, which is deployed."""
    set_up(deployed_aws)
    with like(origin, deployed_aws) as repository:
        repository.secrets |= {
            "AWS_DEPLOY_ROLE_ARN": role(NAMES.deploy_role),
            "AWS_VIEW_ROLE_ARN": role(NAMES.view_role),
            "STACK_NAME": SECOND,
        }
        for name in ("BASE_DOMAIN", "ROUTE53_HOSTED_ZONE_ID"):
            del repository.secrets[name]
        yield repository


def found(aws: LocalAws, stack: str, names: Names) -> dict[str, Any]:
    """What an endpoint consists of: its resources, its function's live code, its credentials and its permissions."""
    stacks, functions, iam = client(aws, "cloudformation"), client(aws, "lambda"), client(aws, "iam")
    resources = stacks.describe_stack_resources(StackName=stack)["StackResources"]
    (function,) = (
        one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::Lambda::Function"
    )
    live = functions.get_function(FunctionName=function, Qualifier="live")["Configuration"]
    parameters = client(aws, "ssm").get_parameters_by_path(
        Path=f"/{stack}/", Recursive=True, WithDecryption=True
    )
    policies = {}
    for document in MANAGED:
        arn = f"arn:aws:iam::{ACCOUNT}:policy/{names.name_policy(document)}"
        if document != "first-deployment":
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            policies[document] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
                "Document"
            ]
    return {
        "resources": {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources},
        "code": (live["CodeSha256"], live["Version"], live["MemorySize"]),
        "credentials": {one["Name"]: one["Value"] for one in parameters["Parameters"]},
        "policies": policies,
    }


def test_each_is_deployed_updated_and_deleted_alone(
    origin: Repository, second: Repository, deployed_aws: LocalAws
) -> None:
    aws = deployed_aws
    first = found(aws, STACK, Names())

    deployed = second.run()
    assert deployed.job.succeeded, deployed.job.output
    assert found(aws, STACK, Names()) == first
    beside = found(aws, SECOND, NAMES)
    (passed,) = (
        one for one in beside["policies"]["deployment"]["Statement"] if one["Action"] == "iam:PassRole"
    )
    assert passed["Resource"] == role(beside["resources"]["FunctionRole"])
    function = client(aws, "iam").get_role(RoleName=beside["resources"]["FunctionRole"])["Role"]
    boundary = function["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary.endswith(f":policy/{NAMES.name_policy('stack-boundary')}")

    with like(origin, aws) as updating:
        updating.parameters["MemorySize"] = "640"
        updated = updating.run()
    assert updated.job.succeeded, updated.job.output
    assert found(aws, STACK, Names())["code"][1:] == ("2", 640)
    assert found(aws, SECOND, NAMES) == beside

    first, stacks = found(aws, STACK, Names()), client(aws, "cloudformation")
    stacks.delete_stack(StackName=SECOND)
    stacks.get_waiter("stack_delete_complete").wait(StackName=SECOND, WaiterConfig={"Delay": 1})
    assert found(aws, STACK, Names()) == first
