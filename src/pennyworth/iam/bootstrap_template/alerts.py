"""The e-mail alerts in policies/bootstrap.yaml: EventBridge rules and an SNS topic.

AssumeRoleWithWebIdentity in CloudTrail: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html.
Event patterns: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.
"""

from collections.abc import Callable
from typing import Any

from pennyworth.aws.names import Names
from pennyworth.iam.policy.documents import MANAGED

_CALL = {"detail-type": ["AWS API Call via CloudTrail"]}

_FAILED = (
    "CREATE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
)

_BY_WHOM = {
    "what": "$.detail.eventName",
    "when": "$.time",
    "who": "$.detail.userIdentity.arn",
    "from": "$.detail.sourceIPAddress",
    "error": "$.detail.errorCode",
}


def build_alerts(issuer: str, names: Names, fill: Callable[[Any, dict[str, Any]], Any]) -> dict[str, Any]:
    """Build the resources of the alerts, all with the condition Alerts.

    Args:
        issuer: GitHub's OIDC issuer, without https://.
        names: the names of the roles and policies, which may have placeholders.
        fill: replaces the placeholders in a value with CloudFormation functions.
    Returns:
        the resources by logical ID.
    """
    account = "arn:${PARTITION}:iam::${ACCOUNT_ID}"
    policies = [f"{account}:policy/{names.name_policy(document)}" for document in MANAGED]
    patterns: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
        "RoleTakenOddly": (
            "Someone other than a trusted workflow run assumed the deploy role, or tried to",
            {
                "source": ["aws.sts"],
                **_CALL,
                "detail": {
                    "eventSource": ["sts.amazonaws.com"],
                    "requestParameters": {"roleArn": [f"{account}:role/{names.deploy_role}"]},
                    "$or": [
                        {"eventName": [{"anything-but": ["AssumeRoleWithWebIdentity"]}]},
                        {"errorCode": [{"exists": True}]},
                        {
                            "userIdentity": {
                                "userName": [{"anything-but": ["${SUBJECTS}"]}, {"exists": False}]
                            }
                        },
                    ],
                },
            },
            {**_BY_WHOM, "who": "$.detail.userIdentity.userName"},
            f"{names.deploy_role}: <what> by <who> from <from> at <when>, not by a trusted workflow run. <error>",
        ),
        "RightsChanged": (
            "Someone changed the policies, the trust policy or the boundary of the deploy role or the read-only role",
            {
                "source": ["aws.iam"],
                **_CALL,
                "detail": {
                    "eventSource": ["iam.amazonaws.com"],
                    "$or": [
                        {"requestParameters": {"policyArn": policies}},
                        {"requestParameters": {"roleName": [names.deploy_role, names.view_role]}},
                        {
                            "requestParameters": {
                                "openIDConnectProviderArn": [f"{account}:oidc-provider/{issuer}"]
                            }
                        },
                        {
                            "eventName": ["PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"],
                            "requestParameters": {"roleName": [{"prefix": "${STACK_NAME}-"}]},
                        },
                    ],
                },
            },
            _BY_WHOM,
            "The permissions of pennyworth's roles were changed: <what> by <who> from <from> at <when>. <error>",
        ),
        "DeploymentFailed": (
            "A deployment of the endpoint failed",
            {
                "source": ["aws.cloudformation"],
                "detail-type": ["CloudFormation Stack Status Change"],
                "detail": {
                    "stack-id": [
                        {
                            "prefix": "arn:${PARTITION}:cloudformation:${REGION}:${ACCOUNT_ID}:stack/${STACK_NAME}/"
                        }
                    ],
                    "status-details": {"status": list(_FAILED)},
                },
            },
            {"stack": "$.detail.stack-id", "status": "$.detail.status-details.status", "when": "$.time"},
            "A deployment failed: <stack> changed to <status> at <when>.",
        ),
    }
    rules = {
        name: {
            "Type": "AWS::Events::Rule",
            "Condition": "Alerts",
            "Properties": {
                "Description": description,
                # AssumeRole is a read-only event to CloudTrail, and rules that are just ENABLED don't match those
                "State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
                if name == "RoleTakenOddly"
                else "ENABLED",
                "EventPattern": fill(pattern, {"SUBJECTS": {"Ref": "Subjects"}}),
                "Targets": [
                    {
                        "Id": "mail",
                        "Arn": {"Ref": "AlertTopic"},
                        "InputTransformer": {
                            "InputPathsMap": paths,
                            "InputTemplate": fill(f'"{message}"', {}),
                        },
                    }
                ],
            },
        }
        for name, (description, pattern, paths, message) in patterns.items()
    }
    return {
        "AlertTopic": {
            "Type": "AWS::SNS::Topic",
            "Condition": "Alerts",
            "Properties": {"DisplayName": "pennyworth"},
        },
        "AlertSubscription": {
            "Type": "AWS::SNS::Subscription",
            "Condition": "Alerts",
            "Properties": {
                "TopicArn": {"Ref": "AlertTopic"},
                "Protocol": "email",
                "Endpoint": {"Ref": "AlertEmail"},
            },
        },
        "AlertTopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Condition": "Alerts",
            "Properties": {
                "Topics": [{"Ref": "AlertTopic"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "RulesMayPublish",
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sns:Publish",
                            "Resource": {"Ref": "AlertTopic"},
                        }
                    ],
                },
            },
        },
        **rules,
    }
