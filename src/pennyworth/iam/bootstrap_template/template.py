"""Generate policies/bootstrap.yaml from the documents beside it: `python -m pennyworth.iam.bootstrap_template`.

Runs in the environment `tools`. Without --write, it only checks whether the file is up to date.
"""

import argparse
import json
import re
import sys
from typing import Any

import yaml

from pennyworth.aws.github_oidc import AUDIENCE, ISSUER
from pennyworth.aws.names import Names
from pennyworth.host.places import ROOT
from pennyworth.iam.bootstrap_template.alerts import build_alerts
from pennyworth.iam.policy.documents import (
    ADAPTER_ACCOUNT,
    BOUNDARY,
    MANAGED,
    POLICIES,
    VIEW,
    fill_placeholders,
    read_document,
    read_policy,
)

TEMPLATE = POLICIES / "bootstrap.yaml"

FIRST = "first-deployment"
"""The document of the policy that is attached to the deploy role temporarily."""

ATTACHED = tuple(document for document in MANAGED if document != VIEW and not document.endswith(BOUNDARY))
"""The documents of the deploy role's policies."""

PULL_REQUEST = "pull_request"
"""The context in the `sub` claim of a pull request's runs, instead of a branch."""

KEEP_DAYS = 30
"""For how many days S3 keeps a package that was deleted or overwritten."""

LIST = "CommaDelimitedList"

LONGEST_DOMAIN = 63
"""The most characters of BaseDomain. With more, the deploy role's boundary would leave too little room."""

BINDS_IN = "aws"
"""The partition whose STS is known to compare claims other than `aud` and `sub`, of github.com's own issuer."""

_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")

_VALUES = {
    # the replacement of each placeholder inside a string
    "ACCOUNT_ID": "${AWS::AccountId}",
    "PARTITION": "${AWS::Partition}",
    "REGION": "${Region}",
    "STACK_NAME": "${StackName}",
    "BASE_DOMAIN": "${BaseDomain}",
    "HOSTED_ZONE_ID": "${HostedZoneId}",
    "ADAPTER_ACCOUNT": "${AdapterAccount}",
    "NAME_SUFFIX": "${NameSuffix}",
}

_BRIEF = {"ACCOUNT_ID": "A", "PARTITION": "P", "REGION": "R", "STACK_NAME": "S", "NAME_SUFFIX": "N"}
"""Short names of the placeholders in policies, because CloudFormation's limit for a template is 51,200 bytes."""

NAMES = Names("${NAME_SUFFIX}")

_HEAD = """\
# Generated from the JSON documents beside it by `python -m pennyworth.iam.bootstrap_template --write`. Edit those.
#
# Deploy it once for each endpoint, with your own permissions: with `pennyworth bootstrap`, with the AWS CLI, or in
# CloudFormation's console. policies/README.md says how, what it creates, and why.

"""

PARAMETERS: dict[str, dict[str, Any]] = {
    "Repository": {
        "Type": "String",
        "Description": "The GitHub repository whose workflow deploys: OWNER/NAME, spelled as on GitHub.",
        "AllowedPattern": r"^[A-Za-z0-9_-]{1,39}/[A-Za-z0-9._-]{1,100}$",
        "ConstraintDescription": "must be OWNER/NAME",
    },
    "RepositoryOwnerId": {
        "Type": "String",
        "Default": "",
        "Description": (
            "The owner's ID (gh api repos/OWNER/NAME --jq .owner.id). With both IDs, only this very repository is"
            " trusted, even if another one gets its name."
        ),
        "AllowedPattern": "^[0-9]{0,20}$",
        "ConstraintDescription": "must be a number",
    },
    "RepositoryId": {
        "Type": "String",
        "Default": "",
        "Description": "The repository's ID (gh api repos/OWNER/NAME --jq .id)",
        "AllowedPattern": "^[0-9]{0,20}$",
        "ConstraintDescription": "must be a number",
    },
    "Subjects": {
        "Type": LIST,
        "Description": (
            "The runs that may deploy, by the sub claims of their tokens. Tokens of repositories created since 15 July"
            " 2026 say repo:OWNER@OWNER_ID/NAME@ID:..."
        ),
        # no wildcards and no IAM policy variables
        "AllowedPattern": (
            r"^repo:[\w-]+(@\d+)?/[\w.-]+(@\d+)?:(ref:refs/heads/[^*?$,\s]{1,200}|environment:[^*?$,]{1,200})$"
        ),
        "ConstraintDescription": (
            "must be repo:OWNER/NAME:ref:refs/heads/BRANCH or repo:OWNER/NAME:environment:NAME, without wildcards"
        ),
    },
    "Workflows": {
        "Type": LIST,
        "Default": "",
        "Description": (
            "The workflow files whose jobs may deploy, as tokens name them in job_workflow_ref:"
            " OWNER/NAME/.github/workflows/FILE@REF. Empty for every workflow of the branches above."
        ),
        "AllowedPattern": r"^$|^[\w.-]+/[\w.-]+/\.github/workflows/[\w.-]+\.ya?ml@[^*?$,\s]+$",
        "ConstraintDescription": "must be OWNER/NAME/.github/workflows/FILE@REF",
    },
    "StackName": {
        "Type": "String",
        "Default": "endpoint",
        "Description": "The name of the endpoint's stack. It is the prefix of the names of all resources.",
        # CloudFormation would shorten a longer name in the names of roles
        # and the Parameter Store takes no paths that begin with aws or ssm
        "AllowedPattern": "^(?!aws|ssm)[a-z][a-z0-9-]{0,23}$",
        "ConstraintDescription": (
            "must be at most 24 lower-case letters, digits and hyphens, starting with a letter, but not with aws or ssm"
        ),
    },
    "NameSuffix": {
        "Type": "String",
        "Default": "",
        "Description": (
            "What the names of roles and policies end with: empty for an account's first endpoint, else -StackName."
        ),
        "AllowedPattern": "^$|^-[a-z][a-z0-9-]{0,23}$",
        "ConstraintDescription": "must be empty, or a hyphen and the name of the endpoint's stack",
    },
    "Region": {
        "Type": "String",
        "Description": "The endpoint's AWS region. Deploy this stack there, too.",
        "AllowedPattern": "^[a-z]{2}(-[a-z]+)+-[0-9]+$",
        "ConstraintDescription": "must be the name of a region, such as us-west-2",
    },
    "BaseDomain": {
        "Type": "String",
        "Default": "",
        "Description": "The parent domain of the endpoint, api.BaseDomain. Empty for no custom domain.",
        # the deploy role's boundary has to contain it several times
        "MaxLength": LONGEST_DOMAIN,
        "AllowedPattern": r"^$|^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$",
        "ConstraintDescription": (
            'must be a domain name of at most 63 characters, in lower case, without "api.", such as example.com'
        ),
    },
    "HostedZoneId": {
        "Type": "String",
        "Default": "",
        "Description": "The ID of BaseDomain's hosted zone in Route 53.",
        "AllowedPattern": "^$|^Z[A-Z0-9]{1,31}$",
        "ConstraintDescription": "must be the ID of a hosted zone, which begins with Z (without /hostedzone/)",
    },
    "AdapterAccount": {
        "Type": "String",
        "Default": ADAPTER_ACCOUNT,
        "Description": "The account with the Lambda Web Adapter's layer, if WebAdapterLayerArn is not AWS's own.",
        "AllowedPattern": "^[0-9]{12}$",
        "ConstraintDescription": "must be an account ID of 12 digits",
    },
    "MaxSessionSeconds": {
        "Type": "Number",
        "Default": 3600,
        "MinValue": 3600,
        "MaxValue": 43200,
        "Description": "The most that the workflow's role-duration-seconds can be. It requests an hour by default.",
    },
    "Issuer": {
        "Type": "String",
        "Default": ISSUER,
        "Description": "The issuer of GitHub's tokens. To use another one, replace it everywhere in this file.",
        # names of conditions can't depend on a parameter
        "AllowedValues": [ISSUER],
        "AllowedPattern": r"^[a-z0-9.-]+(/[\w./-]+)?$",
        "ConstraintDescription": "must be the issuer that this file names everywhere else, without https://",
    },
    "ExistingOidcProviderArn": {
        "Type": "String",
        "Default": "",
        "Description": "The account's identity provider for GitHub, if it has one. There can be only one.",
        # not escaped, so that read_template can replace the issuer
        "AllowedPattern": rf"^$|^arn:aws[a-z-]*:iam::[0-9]{{12}}:oidc-provider/{ISSUER}$",
        "ConstraintDescription": f"must be empty or arn:aws:iam::ACCOUNT:oidc-provider/{ISSUER}",
    },
    "FirstDeployment": {
        "Type": "String",
        "Default": "no",
        "AllowedValues": ["yes", "no"],
        "Description": (
            "yes also attaches the policy first-deployment, which allows more, until the first deployment has worked."
        ),
    },
    "ViewRole": {
        "Type": "String",
        "Default": "yes",
        "AllowedValues": ["yes", "no"],
        "Description": (
            "yes also creates the read-only role, for previews of pull requests and for health checks."
        ),
    },
    "AlertEmail": {
        "Type": "String",
        "Default": "",
        "Description": "The e-mail address for alerts. Empty for no alerts.",
        "AllowedPattern": r"^$|^[^@\s,]+@[^@\s,]+$",
        "ConstraintDescription": "must be an e-mail address",
    },
    "Part": {
        "Type": "String",
        "Default": "all",
        "AllowedValues": ["all", "alerts"],
        "Description": (
            "alerts creates only the alerts, for a copy of this stack in us-east-1, where IAM reports its changes."
        ),
    },
}

_GROUPS = {
    "GitHub": ["Repository", "RepositoryOwnerId", "RepositoryId", "Subjects", "Workflows"],
    "Endpoint": ["StackName", "NameSuffix", "Region", "BaseDomain", "HostedZoneId", "AdapterAccount"],
    "Role": ["MaxSessionSeconds", "Issuer", "ExistingOidcProviderArn", "FirstDeployment", "ViewRole"],
    "Alerts": ["AlertEmail", "Part"],
}


def build_template() -> dict[str, Any]:
    """Build the template.

    Returns:
        the template, with intrinsic functions in their long form.
    """
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Roles with which GitHub workflows deploy pennyworth's endpoint, and their policies",
        "Metadata": {
            "AWS::CloudFormation::Interface": {
                "ParameterGroups": [
                    {"Label": {"default": label}, "Parameters": names} for label, names in _GROUPS.items()
                ]
            }
        },
        "Parameters": PARAMETERS,
        "Rules": {
            "DomainNeedsHostedZone": {
                "RuleCondition": _given("BaseDomain"),
                "Assertions": [
                    {
                        "Assert": _given("HostedZoneId"),
                        "AssertDescription": "BaseDomain requires HostedZoneId",
                    }
                ],
            },
        },
        "Conditions": _build_conditions(),
        "Resources": {**_build_resources(), **build_alerts(ISSUER, NAMES, _fill)},
        "Outputs": {
            "DeployRoleArn": {
                "Condition": "MakesRole",
                "Description": "The deploy role, for the secret AWS_DEPLOY_ROLE_ARN",
                "Value": {"Fn::GetAtt": "DeployRole.Arn"},
            },
            "ViewRoleArn": {
                "Condition": "Views",
                "Description": "The read-only role of previews and health checks, for the secret AWS_VIEW_ROLE_ARN",
                "Value": {"Fn::GetAtt": "Viewer.Arn"},
            },
            "AlertTopicArn": {
                "Condition": "Alerts",
                "Description": "The topic of the alerts. You can add subscriptions",
                "Value": {"Ref": "AlertTopic"},
            },
        },
    }


def _build_conditions() -> dict[str, Any]:
    return {
        "MakesRole": _equals({"Ref": "Part"}, "all"),
        "MakesProvider": _and("MakesRole", _equals({"Ref": "ExistingOidcProviderArn"}, "")),
        "First": _and("MakesRole", _equals({"Ref": "FirstDeployment"}, "yes")),
        "Views": _and("MakesRole", _equals({"Ref": "ViewRole"}, "yes")),
        "Alerts": _given("AlertEmail"),
        "Numbered": {"Fn::And": [_given("RepositoryOwnerId"), _given("RepositoryId")]},
        # in two pieces, so that it stays when read_template replaces the issuer
        "Public": _equals({"Ref": "Issuer"}, {"Fn::Join": [".", ["token.actions", "githubusercontent.com"]]}),
        "Binds": _and("Public", _equals({"Ref": "AWS::Partition"}, BINDS_IN)),
        "BindsIds": _and("Binds", {"Condition": "Numbered"}),
        "BindsWorkflows": _and("Binds", _not(_equals({"Fn::Join": ["", {"Ref": "Workflows"}]}, ""))),
    }


def _build_view_subjects() -> dict[str, Any]:
    """Build the `sub` claims that the read-only role trusts: the same, and the repository's own pull requests.

    A fork's pull requests get no token. https://docs.github.com/actions/reference/security/oidc
    """
    owner, name = ({"Fn::Select": [part, {"Fn::Split": ["/", {"Ref": "Repository"}]}]} for part in (0, 1))
    numbered = f"repo:${{O}}@${{RepositoryOwnerId}}/${{N}}@${{RepositoryId}}:{PULL_REQUEST}"
    listed = [
        {"Fn::Join": [",", {"Ref": "Subjects"}]},
        {"Fn::Sub": f"repo:${{Repository}}:{PULL_REQUEST}"},
        _if("Numbered", {"Fn::Sub": [numbered, {"O": owner, "N": name}]}),
    ]
    return {"Fn::Split": [",", {"Fn::Join": [",", listed]}]}


def _build_resources() -> dict[str, Any]:
    lists = {
        "SUBJECTS": {"Ref": "Subjects"},
        "REPOSITORY_ID": _if("BindsIds", {"Ref": "RepositoryId"}),
        "REPOSITORY_OWNER_ID": _if("BindsIds", {"Ref": "RepositoryOwnerId"}),
        "WORKFLOWS": _if("BindsWorkflows", {"Ref": "Workflows"}),
    }
    policies = {
        _name_policy_resource(document): {
            "Type": "AWS::IAM::ManagedPolicy",
            "Condition": {FIRST: "First", VIEW: "Views"}.get(document, "MakesRole"),
            "Properties": {
                "ManagedPolicyName": _fill(NAMES.name_policy(document), {}),
                "PolicyDocument": _build_policy(read_policy(document)),
            },
        }
        for document in MANAGED
    }
    return {
        "OidcProvider": {
            "Type": "AWS::IAM::OIDCProvider",
            "Condition": "MakesProvider",
            # an account has only one, and other roles may trust it, too
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"Url": f"https://{ISSUER}", "ClientIdList": [AUDIENCE]},
        },
        **policies,
        **_build_package_bucket(),
        "DeployRole": {
            "Type": "AWS::IAM::Role",
            "Condition": "MakesRole",
            "Properties": {
                "RoleName": _fill(NAMES.deploy_role, {}),
                "Description": "Assumed by GitHub workflows that deploy the endpoint",
                "MaxSessionDuration": {"Ref": "MaxSessionSeconds"},
                "PermissionsBoundary": {"Ref": "DeployBoundary"},
                "AssumeRolePolicyDocument": _build_trust_policy(lists),
                "ManagedPolicyArns": [
                    _if("First", {"Ref": _name_policy_resource(document)})
                    if document == FIRST
                    else {"Ref": _name_policy_resource(document)}
                    for document in ATTACHED
                ],
            },
        },
        "Viewer": {
            "Type": "AWS::IAM::Role",
            "Condition": "Views",
            "Properties": {
                "RoleName": _fill(NAMES.view_role, {}),
                "Description": "Assumed by previews of pull requests and health checks. Read-only",
                # caps other policies that may be attached to the role
                "PermissionsBoundary": {"Ref": _name_policy_resource(VIEW)},
                # a pull request may change its own workflows, so naming them would keep nobody out
                "AssumeRolePolicyDocument": _build_trust_policy(
                    lists
                    | {
                        "SUBJECTS": _build_view_subjects(),
                        "WORKFLOWS": {"Ref": "AWS::NoValue"},
                    }
                ),
                "ManagedPolicyArns": [{"Ref": _name_policy_resource(VIEW)}],
            },
        },
    }


def _build_package_bucket() -> dict[str, Any]:
    """Build the bucket of the endpoint's packages. Its name is that of the policy documents and of aws/packages.py."""
    bucket = {"Fn::GetAtt": "PackageBucket.Arn"}
    return {
        "PackageBucket": {
            "Type": "AWS::S3::Bucket",
            "Condition": "MakesRole",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": {"Fn::Sub": "${AWS::AccountId}-${Region}-${StackName}-packages"},
                "PublicAccessBlockConfiguration": dict.fromkeys(
                    ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"),
                    True,
                ),
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "VersioningConfiguration": {"Status": "Enabled"},
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "former-versions",
                            "Status": "Enabled",
                            "NoncurrentVersionExpiration": {"NoncurrentDays": KEEP_DAYS},
                            "ExpiredObjectDeleteMarker": True,
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                        }
                    ]
                },
            },
        },
        "PackageBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Condition": "MakesRole",
            "Properties": {
                "Bucket": {"Ref": "PackageBucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "TlsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [bucket, {"Fn::Sub": "${PackageBucket.Arn}/*"}],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
    }


def _name_policy_resource(document: str) -> str:
    """Return the logical ID of a document's managed policy."""
    name = "".join(word.title() for word in document.split("-"))
    return name if document.endswith(BOUNDARY) else f"{name}Policy"


def _build_trust_policy(lists: dict[str, Any]) -> dict[str, Any]:
    """Build the trust policy. It refers to the identity provider, so that it is created before the role."""
    document: dict[str, Any] = _fill(read_document("trust"), lists)
    for statement in document["Statement"]:
        there = statement["Principal"]["Federated"]
        statement["Principal"]["Federated"] = {"Fn::If": ["MakesProvider", {"Ref": "OidcProvider"}, there]}
    return document


def _build_policy(document: dict[str, Any]) -> dict[str, Any]:
    """Build a policy as text, one line per statement, with CloudFormation functions for its placeholders."""
    # PASS_ROLE_ARNS gets its default, a prefix; tighten-passrole lists the roles in later versions of the policy
    named = fill_placeholders(document, {name: f"${{{name}}}" for name in _VALUES})
    lines = ",\n".join(json.dumps(statement, separators=(",", ":")) for statement in named["Statement"])
    text = f'{{"Version": "{named["Version"]}", "Statement": [\n{lines}\n]}}\n'
    names = {_BRIEF[name]: _VALUES[name][2:-1] for name in _PLACEHOLDER.findall(text) if name in _BRIEF}
    brief = {name: f"${{{short}}}" for name, short in _BRIEF.items()}
    text = _PLACEHOLDER.sub(lambda found: {**_VALUES, **brief}[found[1]], text.replace("${aws:", "${!aws:"))
    return {"Fn::Sub": [text, {name: {"Ref": value} for name, value in sorted(names.items())}]}


def _fill(value: Any, lists: dict[str, Any]) -> Any:
    """Replace the placeholders in a document, or a part of one, with CloudFormation functions.

    Args:
        value: the document.
        lists: values for placeholders that are a whole string, or the only item of a list.
    Returns:
        the document with functions.
    """
    if isinstance(value, dict):
        return {key: _fill(item, lists) for key, item in value.items()}
    if isinstance(value, list):
        entries = [_fill(item, lists) for item in value]
        return entries[0] if len(value) == 1 and _find_placeholder(value[0]) in lists else entries
    if (name := _find_placeholder(value)) in lists:
        return lists[name]
    if not isinstance(value, str) or "${" not in value:
        return value
    # policy variables such as ${aws:PrincipalArn} belong to IAM, not to CloudFormation
    return {"Fn::Sub": _PLACEHOLDER.sub(lambda found: _VALUES[found[1]], value.replace("${aws:", "${!aws:"))}


def _find_placeholder(value: Any) -> str | None:
    """Return the name of the placeholder if the value consists of a single one."""
    whole = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return whole[1] if whole else None


def _equals(value: Any, other: Any) -> dict[str, Any]:
    return {"Fn::Equals": [value, other]}


def _not(condition: Any) -> dict[str, Any]:
    return {"Fn::Not": [condition]}


def _given(parameter: str) -> dict[str, Any]:
    return _not(_equals({"Ref": parameter}, ""))


def _if(condition: str, value: Any) -> dict[str, Any]:
    return {"Fn::If": [condition, value, {"Ref": "AWS::NoValue"}]}


def _and(name: str, condition: Any) -> dict[str, Any]:
    return {"Fn::And": [{"Condition": name}, condition]}


class _Dumper(yaml.SafeDumper):
    """Writes intrinsic functions in their short form, and no YAML aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_mapping(dumper: _Dumper, value: dict[str, Any]) -> yaml.Node:
    if len(value) == 1:
        ((key, argument),) = value.items()
        if key == "Ref" or key.startswith("Fn::") or (key == "Condition" and isinstance(argument, str)):
            node = dumper.represent_data(argument)
            node.tag = f"!{key.removeprefix('Fn::')}"
            if isinstance(node, yaml.CollectionNode):
                text = argument[0] if key == "Fn::Sub" else ""
                node.flow_style = "\n" not in text
            elif isinstance(node, yaml.ScalarNode):
                node.style = '"' if key == "Fn::Sub" else None
            return node
    return dumper.represent_dict(value)


_Dumper.add_representer(dict, _represent_mapping)


def _represent_text(dumper: _Dumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _represent_text)


_QUOTED_NAME = re.compile(r"(!(?:Ref|Condition|GetAtt)) '([\w:.]+)'")
"""The quotes that PyYAML sets around every value with a tag. Names need none."""


def read_template(issuer: str = ISSUER) -> str:
    """Read policies/bootstrap.yaml, for an issuer of GitHub's tokens."""
    return TEMPLATE.read_text().replace(ISSUER, issuer)


def render_template() -> str:
    """Render the template.

    Returns:
        the text of policies/bootstrap.yaml.
    """
    written = yaml.dump(
        build_template(), Dumper=_Dumper, sort_keys=False, width=10_000, default_flow_style=None
    )
    written = _QUOTED_NAME.sub(r"\1 \2", written)
    return _HEAD + re.sub(r"^(?=[A-Z]\w+:)", "\n", written, flags=re.MULTILINE).lstrip()


def main() -> int:
    """Write policies/bootstrap.yaml, or check whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the file")
    if parser.parse_args().write:
        TEMPLATE.write_text(render_template())
    elif not TEMPLATE.exists() or TEMPLATE.read_text() != render_template():
        print(
            f"{TEMPLATE.relative_to(ROOT)} is outdated. Run this with --write",
            file=sys.stderr,
        )
        return 1
    return 0
