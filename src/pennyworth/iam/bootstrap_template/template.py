"""policies/bootstrap.yaml, made from the documents beside it: `python -m pennyworth.iam.bootstrap_template`.

Runs in the environment `tools`. Without --write it only says whether the file is as it must be.
"""

import argparse
import json
import re
import sys
from typing import Any

import yaml

from pennyworth.aws.github_oidc import AUDIENCE, ISSUER
from pennyworth.host.places import ROOT
from pennyworth.iam.bootstrap_template.alerts import build_alerts
from pennyworth.iam.policy.documents import (
    DEPLOY_ROLE,
    MANAGED_POLICIES,
    POLICIES,
    VIEW_ROLE,
    fill_placeholders,
    read_document,
)

TEMPLATE = POLICIES / "bootstrap.yaml"

FIRST, VIEW = "first-deployment", "view"
BOUNDARY = "-boundary"
"""Two documents, and the end of others' names: of what is attached for a while only, of what the view role has, and of
what is not attached."""

ATTACHED = tuple(
    document for document in MANAGED_POLICIES if document != VIEW and not document.endswith(BOUNDARY)
)
"""The documents of the deploy role."""

PULL_REQUEST = "pull_request"
"""What stands in place of a branch in the subject of a pull request's runs."""

SLOTS = ("", "Second", "Third")
"""What stands before the parameters Branch and Environment: CloudFormation can't go through a list."""

_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")

_VALUES = {
    # what stands for a document's placeholder inside a string
    "ACCOUNT_ID": "${AWS::AccountId}",
    "PARTITION": "${AWS::Partition}",
    "REGION": "${Region}",
    "STACK_NAME": "${StackName}",
    "BASE_DOMAIN": "${BaseDomain}",
    "HOSTED_ZONE_ID": "${HostedZoneId}",
}

_BRIEF = {"ACCOUNT_ID": "A", "PARTITION": "P", "REGION": "R", "STACK_NAME": "S"}
"""What the placeholders of the policies are called instead: CloudFormation takes 51,200 bytes."""

_HEAD = """\
# Made from the JSON documents beside it by `python -m pennyworth.iam.bootstrap_template --write`: change those.
#
# Deployed once in an account, with your own rights: by `pennyworth bootstrap`, in CloudFormation's console, or by
#   aws cloudformation deploy --template-file policies/bootstrap.yaml --stack-name pennyworth-bootstrap \\
#     --capabilities CAPABILITY_NAMED_IAM --parameter-overrides \\
#     Repository=OWNER/NAME Region=us-west-2 StackName=endpoint BaseDomain=example.com HostedZoneId=Z0123456789
# policies/README.md says what it makes, and why.

"""

PARAMETERS: dict[str, dict[str, Any]] = {
    "Repository": {
        "Type": "String",
        "Description": "The GitHub repository whose workflow deploys, OWNER/NAME as GitHub spells it.",
        "AllowedPattern": r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$",
        "ConstraintDescription": "must be OWNER/NAME",
    },
    "RepositoryOwnerId": {
        "Type": "String",
        "Default": "",
        "Description": (
            "The owner's number (gh api repos/OWNER/NAME --jq .owner.id). With both numbers the subjects that GitHub"
            " gives to repositories since 15 July 2026 are trusted, too."
        ),
        "AllowedPattern": "^[0-9]{0,20}$",
        "ConstraintDescription": "must be a number",
    },
    "RepositoryId": {
        "Type": "String",
        "Default": "",
        "Description": "The repository's number (gh api repos/OWNER/NAME --jq .id)",
        "AllowedPattern": "^[0-9]{0,20}$",
        "ConstraintDescription": "must be a number",
    },
    **{
        f"{slot}Branch": {
            "Type": "String",
            "Default": "" if slot else "main",
            "Description": f"A {slot.lower()} branch whose runs may deploy".replace("  ", " "),
            # no wildcards, and none of IAM's own variables
            "AllowedPattern": r"^[^*?$\s]{0,200}$",
            "ConstraintDescription": "must be a branch's name, without wildcards",
        }
        for slot in SLOTS
    },
    **{
        f"{slot}Environment": {
            "Type": "String",
            "Default": "",
            "Description": (
                f"A {slot.lower()} GitHub environment whose jobs may deploy. Their tokens name it in place of their"
                " branch: say in GitHub which branches it takes."
            ).replace("  ", " "),
            "AllowedPattern": "^[^*?$]{0,200}$",
            "ConstraintDescription": "must be an environment's name, without wildcards",
        }
        for slot in SLOTS
    },
    "StackName": {
        "Type": "String",
        "Default": "endpoint",
        "Description": "The name of the endpoint's stack. Whatever the role makes bears it.",
        # longer ones are shortened by CloudFormation in the names of roles
        "AllowedPattern": "^[a-z][a-z0-9-]{0,23}$",
        "ConstraintDescription": "must be at most 24 lower-case letters, digits and hyphens, a letter first",
    },
    "Region": {
        "Type": "String",
        "Description": "The region that the endpoint is deployed to; deploy this stack there, too.",
        "AllowedPattern": "^[a-z]{2}(-[a-z]+)+-[0-9]+$",
        "ConstraintDescription": "must be a region's name, such as us-west-2",
    },
    "BaseDomain": {
        "Type": "String",
        "Default": "",
        "Description": "The domain below which the endpoint appears as api.BaseDomain. Empty for none.",
        "AllowedPattern": r"^$|^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$",
        "ConstraintDescription": 'must be a domain name in lower case without "api.", such as example.com',
    },
    "HostedZoneId": {
        "Type": "String",
        "Default": "",
        "Description": "The Route 53 hosted zone that holds BaseDomain.",
        "AllowedPattern": "^$|^Z[A-Z0-9]{1,31}$",
        "ConstraintDescription": "must be a hosted zone's id, which begins with Z (without /hostedzone/)",
    },
    "MaxSessionSeconds": {
        "Type": "Number",
        "Default": 3600,
        "MinValue": 3600,
        "MaxValue": 43200,
        "Description": "How long the role's credentials may last at most. The workflow asks for an hour.",
    },
    "ExistingOidcProviderArn": {
        "Type": "String",
        "Default": "",
        "Description": "The account's identity provider for GitHub, if it has one: there can be only one.",
        "AllowedPattern": rf"^$|^arn:aws[a-z-]*:iam::[0-9]{{12}}:oidc-provider/{re.escape(ISSUER)}$",
        "ConstraintDescription": f"must be empty or arn:aws:iam::ACCOUNT:oidc-provider/{ISSUER}",
    },
    "FirstDeployment": {
        "Type": "String",
        "Default": "no",
        "AllowedValues": ["yes", "no"],
        "Description": (
            "yes attaches pennyworth-first-deployment, too, for a very first deployment into an account that nobody"
            " knows. Take it away again with no."
        ),
    },
    "ViewRole": {
        "Type": "String",
        "Default": "yes",
        "AllowedValues": ["yes", "no"],
        "Description": (
            "yes makes pennyworth-github-view-role, too, which only looks: for previews of pull requests and for health"
            " checks."
        ),
    },
    "AlertEmail": {
        "Type": "String",
        "Default": "",
        "Description": "Where alerts go. Empty for none.",
        "AllowedPattern": r"^$|^[^@\s,]+@[^@\s,]+$",
        "ConstraintDescription": "must be an e-mail address",
    },
    "Part": {
        "Type": "String",
        "Default": "all",
        "AllowedValues": ["all", "alerts"],
        "Description": (
            "alerts makes nothing but the alerts: for a second copy of this stack in the region where IAM reports its"
            " changes, us-east-1, if this one is elsewhere."
        ),
    },
}

_SUBJECTS = [f"{slot}{kind}" for kind in ("Branch", "Environment") for slot in SLOTS]

_GROUPS = {
    "GitHub": ["Repository", "RepositoryOwnerId", "RepositoryId", *_SUBJECTS],
    "Endpoint": ["StackName", "Region", "BaseDomain", "HostedZoneId"],
    "Role": ["MaxSessionSeconds", "ExistingOidcProviderArn", "FirstDeployment", "ViewRole"],
    "Alerts": ["AlertEmail", "Part"],
}


def build_template() -> dict[str, Any]:
    """The template, its functions in their long form."""
    subjects = _build_subjects()
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Who may deploy pennyworth's endpoint: GitHub's identity, roles that trust it, what they may do",
        "Metadata": {
            "AWS::CloudFormation::Interface": {
                "ParameterGroups": [
                    {"Label": {"default": label}, "Parameters": names} for label, names in _GROUPS.items()
                ]
            }
        },
        "Parameters": PARAMETERS,
        "Rules": {
            "SomebodyMayDeploy": {
                "Assertions": [
                    {
                        "Assert": {"Fn::Or": [_given(name) for name in _SUBJECTS]},
                        "AssertDescription": "Name a branch or an environment that may deploy",
                    }
                ]
            },
            "DomainNeedsHostedZone": {
                "RuleCondition": _given("BaseDomain"),
                "Assertions": [
                    {
                        "Assert": _given("HostedZoneId"),
                        "AssertDescription": "BaseDomain needs its HostedZoneId",
                    }
                ],
            },
        },
        "Conditions": _build_conditions(),
        "Resources": {**_build_resources(subjects), **build_alerts(ISSUER, subjects, _fill)},
        "Outputs": {
            "DeployRoleArn": {
                "Condition": "MakesRole",
                "Description": "The role that the workflow takes: the repository's secret AWS_DEPLOY_ROLE_ARN",
                "Value": {"Fn::GetAtt": "DeployRole.Arn"},
            },
            "ViewRoleArn": {
                "Condition": "Views",
                "Description": "The role that previews and health checks take: the secret AWS_VIEW_ROLE_ARN",
                "Value": {"Fn::GetAtt": "Viewer.Arn"},
            },
            "AlertTopicArn": {
                "Condition": "Alerts",
                "Description": "Where alerts are published; subscribe whatever else shall hear of them",
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
        **{f"Has{name}": _given(name) for name in _SUBJECTS},
        **{f"Numbered{name}": _and("Numbered", {"Condition": f"Has{name}"}) for name in _SUBJECTS},
    }


def _build_subjects() -> list[dict[str, Any]]:
    """Each `sub` that the deploy role trusts: https://docs.github.com/actions/reference/security/oidc."""
    found = []
    for subject in _SUBJECTS:
        ending = f"{'ref:refs/heads/' if subject.endswith('Branch') else 'environment:'}${{{subject}}}"
        found += [
            _if(f"{condition}{subject}", value)
            for condition, value in zip(("Has", "Numbered"), _build_subject(ending), strict=True)
        ]
    return found


def _build_pull_request_subjects() -> list[dict[str, Any]]:
    """The `sub` of the repository's own pull requests; a fork's have the fork's name, and no token."""
    plain, numbered = _build_subject(PULL_REQUEST)
    return [plain, _if("Numbered", numbered)]


def _build_subject(context: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A `sub` for some part of the repository, in both of GitHub's forms."""
    owner, name = ({"Fn::Select": [part, {"Fn::Split": ["/", {"Ref": "Repository"}]}]} for part in (0, 1))
    plain, numbered = "repo:${Repository}", "repo:${O}@${RepositoryOwnerId}/${N}@${RepositoryId}"
    return (
        {"Fn::Sub": f"{plain}:{context}"},
        {"Fn::Sub": [f"{numbered}:{context}", {"O": owner, "N": name}]},
    )


def _build_resources(subjects: list[dict[str, Any]]) -> dict[str, Any]:
    lists = {"SUBJECTS": subjects}
    policies = {
        _name_policy_resource(document): {
            "Type": "AWS::IAM::ManagedPolicy",
            "Condition": {FIRST: "First", VIEW: "Views"}.get(document, "MakesRole"),
            "Properties": {
                "ManagedPolicyName": name,
                "PolicyDocument": _build_policy(read_document(document)),
            },
        }
        for document, name in MANAGED_POLICIES.items()
    }
    return {
        "OidcProvider": {
            "Type": "AWS::IAM::OIDCProvider",
            "Condition": "MakesProvider",
            # an account has one, and roles that we know nothing of may have come to trust it
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"Url": f"https://{ISSUER}", "ClientIdList": [AUDIENCE]},
        },
        **policies,
        "DeployRole": {
            "Type": "AWS::IAM::Role",
            "Condition": "MakesRole",
            "Properties": {
                "RoleName": DEPLOY_ROLE,
                "Description": "What GitHub's runs deploy the endpoint with",
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
                "RoleName": VIEW_ROLE,
                "Description": "What previews of pull requests and health checks look with",
                # whatever else may be attached to it
                "PermissionsBoundary": {"Ref": _name_policy_resource(VIEW)},
                "AssumeRolePolicyDocument": _build_trust_policy(
                    lists | {"SUBJECTS": [*subjects, *_build_pull_request_subjects()]}
                ),
                "ManagedPolicyArns": [{"Ref": _name_policy_resource(VIEW)}],
            },
        },
    }


def _name_policy_resource(document: str) -> str:
    """What the managed policy that a document becomes is called in the template."""
    name = "".join(word.title() for word in document.split("-"))
    return name if document.endswith(BOUNDARY) else f"{name}Policy"


def _build_trust_policy(lists: dict[str, Any]) -> dict[str, Any]:
    """The trust policy, in which the provider is named so that it is made before the role."""
    document: dict[str, Any] = _fill(read_document("trust"), lists)
    for statement in document["Statement"]:
        there = statement["Principal"]["Federated"]
        statement["Principal"]["Federated"] = {"Fn::If": ["MakesProvider", {"Ref": "OidcProvider"}, there]}
    return document


def _build_policy(document: dict[str, Any]) -> dict[str, Any]:
    """A policy document as text, a statement a line, with CloudFormation's functions for its placeholders."""
    # the workflow names the roles one by one in later versions of the policy
    named = fill_placeholders(document, {name: f"${{{name}}}" for name in _VALUES})
    lines = ",\n".join(json.dumps(statement, separators=(",", ":")) for statement in named["Statement"])
    text = f'{{"Version": "{named["Version"]}", "Statement": [\n{lines}\n]}}\n'
    names = {_BRIEF[name]: _VALUES[name][2:-1] for name in _PLACEHOLDER.findall(text) if name in _BRIEF}
    brief = {name: f"${{{short}}}" for name, short in _BRIEF.items()}
    text = _PLACEHOLDER.sub(lambda found: {**_VALUES, **brief}[found[1]], text.replace("${aws:", "${!aws:"))
    return {"Fn::Sub": [text, {name: {"Ref": value} for name, value in sorted(names.items())}]}


def _fill(value: Any, lists: dict[str, Any]) -> Any:
    """A document, or a part of it, with CloudFormation's functions for its placeholders.

    Args:
        value: the document.
        lists: what stands for a placeholder that is a whole string, be it a list's only item.
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
    # IAM's own variables, such as ${aws:PrincipalArn}, are not for CloudFormation
    return {"Fn::Sub": _PLACEHOLDER.sub(lambda found: _VALUES[found[1]], value.replace("${aws:", "${!aws:"))}


def _find_placeholder(value: Any) -> str | None:
    """The placeholder that a value is, if it is nothing else."""
    whole = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return whole[1] if whole else None


def _equals(value: Any, other: str) -> dict[str, Any]:
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
    """Writes CloudFormation's functions in their short form, and nothing by reference."""

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


def render_template() -> str:
    """The template as it stands in TEMPLATE."""
    written = yaml.dump(build_template(), Dumper=_Dumper, sort_keys=False, width=110, default_flow_style=None)
    return _HEAD + re.sub(r"^(?=[A-Z]\w+:)", "\n", written, flags=re.MULTILINE).lstrip()


def main() -> int:
    """Write the file, or say whether it is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it")
    if parser.parse_args().write:
        TEMPLATE.write_text(render_template())
    elif not TEMPLATE.exists() or TEMPLATE.read_text() != render_template():
        print(
            f"{TEMPLATE.relative_to(ROOT)} is not what its documents make it: run this with --write",
            file=sys.stderr,
        )
        return 1
    return 0
