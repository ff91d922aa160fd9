"""The preview's parts: CloudFormation's words understood, policies compared, secrets kept, the comment kept one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.stub import ANY, Stubber

from pennyworth.aws.template_values import EvaluatedTemplate
from pennyworth.github.masking import masked
from pennyworth.github.rest import GitHub
from pennyworth.host.errors import OperationFailed
from pennyworth.local.github import FakeGitHub
from pennyworth.pipeline import cost
from pennyworth.pipeline.preview import Preview, State, as_markdown, permissions, render_headline
from pennyworth.pipeline.preview import comment as comments
from pennyworth.pipeline.preview.changeset import MOST_BYTES, ResourceChange, fetch_changes, parse_changes
from pennyworth.pipeline.preview.parameter_changes import Setting, compare_parameters

REGION = "us-west-2"
NAME = "pennyworth-preview-7"
STACK = "endpoint"
RECORDED = Path(__file__).with_name("change_sets.yaml")
PRICES = cost.estimate({}, REGION)


def recorded(name: str) -> dict[str, Any]:
    """An answer of DescribeChangeSet, in the shape that its documentation shows."""
    found: dict[str, Any] = yaml.safe_load(RECORDED.read_text())[name]
    return found


# --- the change set ---------------------------------------------------------------------------------------------------


@pytest.fixture
def aws() -> Iterator[tuple[Any, Stubber]]:
    """CloudFormation's client, whose answers are checked against the service's own description."""
    client = boto3.client(
        "cloudformation", region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret"
    )
    with Stubber(client) as stub:
        yield client, stub


def answer(stub: Stubber, name: str, *, status: str = "CREATE_COMPLETE", reason: str = "") -> None:
    """The calls of one preview: whatever a broken-off run left is deleted, and so is the change set itself."""
    named = {"StackName": STACK, "ChangeSetName": NAME}
    stub.add_response("delete_change_set", {}, named)
    stub.add_response(
        "create_change_set",
        {"Id": "arn:aws:cloudformation:us-west-2:123456789012:changeSet/x/y"},
        {
            **named,
            "ChangeSetType": "UPDATE",
            "Description": ANY,
            "TemplateBody": "Resources: {}",
            "Parameters": [{"ParameterKey": "A", "UsePreviousValue": True}],
            "Capabilities": ["CAPABILITY_IAM"],
        },
    )
    stub.add_response("describe_change_set", {"Status": status, "StatusReason": reason}, named)
    if status == "CREATE_COMPLETE":
        first, *more = recorded(name)["pages"]
        token = {"NextToken": "more"} if more else {}
        stub.add_response("describe_change_set", {**first, **token}, {**named, "IncludePropertyValues": True})
        for page in more:
            asked = {**named, "IncludePropertyValues": True, "NextToken": "more"}
            stub.add_response("describe_change_set", page, asked)
    stub.add_response("delete_change_set", {}, named)


def ask(client: Any) -> list[ResourceChange]:
    return fetch_changes(
        client, STACK, NAME, "Resources: {}", [{"ParameterKey": "A", "UsePreviousValue": True}]
    )


def test_every_page_is_read_and_the_change_set_deleted(aws: tuple[Any, Stubber]) -> None:
    client, stub = aws
    answer(stub, "update")
    found = {change.resource: change for change in ask(client)}
    stub.assert_no_pending_responses()
    assert set(found) == {"Function", "FunctionVersionNew", "FunctionVersionOld", "LogGroup", "Table", "Api"}
    function = found["Function"]
    assert (function.action, function.replacement, function.goes) == ("Modify", "False", False)
    memory, role = function.details
    assert (memory.name, memory.before, memory.after, memory.certain) == ("MemorySize", "1024", "512", True)
    assert (role.name, role.certain) == ("Role", False)


def test_what_replaces_what_holds_data_is_seen(aws: tuple[Any, Stubber]) -> None:
    client, stub = aws
    answer(stub, "update")
    found = {change.resource: change for change in ask(client)}
    assert found["LogGroup"].lost == "its logs" and found["LogGroup"].certain
    assert found["Table"].goes and found["Table"].kept and not found["Table"].lost  # ReplaceAndRetain
    assert found["Api"].noticed and not found["Api"].certain  # Conditional
    assert found["FunctionVersionOld"].goes and found["FunctionVersionOld"].kept
    assert not found["FunctionVersionNew"].goes


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_no_changes_are_no_failure(aws: tuple[Any, Stubber], reason: str) -> None:
    client, stub = aws
    answer(stub, "update", status="FAILED", reason=reason)
    assert ask(client) == []
    stub.assert_no_pending_responses()


def test_a_refused_template_is_told_and_the_change_set_deleted_all_the_same(aws: tuple[Any, Stubber]) -> None:
    client, stub = aws
    answer(stub, "update", status="FAILED", reason="Transform AWS::Serverless-2016-10-31 failed with: 400")
    with pytest.raises(OperationFailed) as failed:
        ask(client)
    assert "Transform" in failed.value.detail
    stub.assert_no_pending_responses()


def test_a_denied_call_is_told(aws: tuple[Any, Stubber]) -> None:
    client, stub = aws
    stub.add_client_error("delete_change_set", "ChangeSetNotFound")
    stub.add_client_error("create_change_set", "AccessDenied", "User: arn is not authorized")
    stub.add_client_error("delete_change_set", "ChangeSetNotFound")
    with pytest.raises(OperationFailed, match=r"policies/view\.json") as failed:
        ask(client)
    assert "not authorized" in failed.value.detail


def test_a_change_set_that_can_not_be_deleted_is_warned_of(
    aws: tuple[Any, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    client, stub = aws
    stub.add_client_error("delete_change_set", "AccessDenied")
    stub.add_client_error("create_change_set", "AccessDenied")
    stub.add_client_error("delete_change_set", "AccessDenied")
    with pytest.raises(OperationFailed):
        ask(client)
    assert "::warning title=The preview's change set may still be there" in capsys.readouterr().out


def test_a_template_that_needs_s3_is_refused_before_anybody_is_asked(aws: tuple[Any, Stubber]) -> None:
    client, _ = aws  # no answer is prepared: a call would fail
    with pytest.raises(OperationFailed, match=f"{MOST_BYTES:,}"):
        fetch_changes(client, STACK, NAME, "x" * (MOST_BYTES + 1), [])


# --- parameters -------------------------------------------------------------------------------------------------------

DECLARED: Mapping[str, Mapping[str, Any]] = {
    "MemorySize": {"Default": 1024},
    "LogRetentionDays": {"Default": 30},
    "ApiKeys": {"Default": "", "NoEcho": True},
    "Added": {"Default": "as before"},
    "ConfigHash": {"Default": ""},
}
BEFORE = {"MemorySize": "1024", "LogRetentionDays": "30", "ApiKeys": "****", "ConfigHash": "abc"}


def wanted(**more: str) -> dict[str, str]:
    values = {name: str(given["Default"]) for name, given in DECLARED.items()}
    return {**values, "ConfigHash": "digest", **more}


def test_what_nobody_says_stays_as_it_is() -> None:
    found = compare_parameters(DECLARED, wanted(), frozenset(), BEFORE)
    assert found.kept == {"ApiKeys", "ConfigHash"}
    assert found.changes == ()
    assert {"ParameterKey": "ApiKeys", "UsePreviousValue": True} in found.request()
    assert {"ParameterKey": "MemorySize", "ParameterValue": "1024"} in found.request()
    assert {entry["ParameterKey"] for entry in found.request()} == set(DECLARED)


def test_a_new_value_is_shown_and_makes_a_release() -> None:
    found = compare_parameters(DECLARED, wanted(MemorySize="512"), frozenset({"MemorySize"}), BEFORE)
    assert found.changes == (Setting("MemorySize", "1024", "512"),)
    assert found.values["ConfigHash"] == "digest"


def test_a_value_that_the_function_does_not_see_makes_none() -> None:
    found = compare_parameters(
        DECLARED, wanted(LogRetentionDays="7"), frozenset({"LogRetentionDays"}), BEFORE
    )
    assert [change.name for change in found.changes] == ["LogRetentionDays"]
    assert "ConfigHash" in found.kept


def test_a_key_that_is_given_is_used() -> None:
    found = compare_parameters(DECLARED, wanted(ApiKeys="sk-1"), frozenset({"ApiKeys"}), BEFORE)
    assert found.values["ApiKeys"] == "sk-1"


def test_a_parameter_that_the_stack_lacks_can_not_keep_a_value() -> None:
    found = compare_parameters(DECLARED, wanted(), frozenset(), {"MemorySize": "1024"})
    assert not found.kept
    assert found.values["ApiKeys"] == ""


# --- permissions ------------------------------------------------------------------------------------------------------


def template(*statements: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A function, the role that it runs as, and what that role's policy says."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role: dict[str, Any] = {
        "AssumeRolePolicyDocument": {"Statement": [trust]},
        "Policies": [{"PolicyName": "own", "PolicyDocument": {"Statement": list(statements)}}],
    }
    return {
        "Parameters": {"Boundary": {"Default": ""}},
        "Conditions": {"Bounded": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Boundary"}, ""]}]}},
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
            "Role": {"Type": "AWS::IAM::Role", "Properties": role | more},
        },
    }


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def compared(before: dict[str, Any], after: dict[str, Any], **parameters: str) -> list[permissions.Change]:
    return permissions.compare_permissions(
        EvaluatedTemplate(before, {}), EvaluatedTemplate(after, parameters)
    )


LOGS = allow(["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": ["LogGroup", "Arn"]})


def test_the_same_said_otherwise_is_no_change() -> None:
    apart = [
        allow("logs:PutLogEvents", {"Fn::GetAtt": "LogGroup.Arn"}),
        allow(["logs:CreateLogStream"], LOGS["Resource"]),
    ]
    assert compared(template(LOGS), template(*apart)) == []


def test_permissions_that_the_role_gains_and_loses() -> None:
    models = {"Fn::Sub": "arn:${AWS::Partition}:bedrock:*::foundation-model/*"}
    after = template(allow("logs:PutLogEvents", LOGS["Resource"]), allow(["bedrock:InvokeModel"], models))
    gained, lost = compared(template(LOGS), after)
    assert (gained.who, gained.runs, gained.gained) == ("Role", ("Function",), True)
    assert gained.actions == ("bedrock:InvokeModel",)
    assert gained.resources == ("arn:aws:bedrock:*::foundation-model/*",)
    assert not gained.alarming
    assert (lost.gained, lost.actions, lost.resources) == (
        False,
        ("logs:CreateLogStream",),
        ("${LogGroup.Arn}",),
    )


@pytest.mark.parametrize(
    "statement",
    [
        allow("*", "arn:aws:s3:::one"),
        allow("s3:*", "*"),
        allow("iam:*", "arn:aws:iam::123456789012:role/one"),
        allow("iam:PassRole", "arn:aws:iam::123456789012:role/one"),
        {"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"},
    ],
)
def test_what_leads_to_more_is_alarming(statement: dict[str, Any]) -> None:
    (change,) = compared(template(LOGS), template(LOGS, statement))
    assert change.alarming and change.gained


def test_who_may_take_the_role_is_told() -> None:
    opened = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
        "Action": "sts:AssumeRole",
    }
    lambdas = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    after = template(LOGS, AssumeRolePolicyDocument={"Statement": [lambdas, opened]})
    (change,) = compared(template(LOGS), after)
    assert change.who == "arn:aws:iam::210987654321:root"
    assert change.alarming and change.resources == ("${Role}",)


def test_a_prohibition_that_goes_is_alarming_and_one_that_comes_is_not() -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    (came,) = compared(template(LOGS), template(LOGS, deny))
    assert came.gained and came.denies and not came.alarming
    (went,) = compared(template(LOGS, deny), template(LOGS))
    assert not went.gained and went.denies and went.alarming


def test_a_boundary_that_goes_is_alarming() -> None:
    bounded = template(
        LOGS, PermissionsBoundary={"Fn::If": ["Bounded", {"Ref": "Boundary"}, {"Ref": "AWS::NoValue"}]}
    )
    arn = "arn:aws:iam::aws:policy/Cap"
    before, after = EvaluatedTemplate(bounded, {"Boundary": arn}), EvaluatedTemplate(bounded, {})
    (change,) = permissions.compare_permissions(before, after)
    assert change.alarming and change.denies and not change.gained and arn in change.actions[0]


def test_a_condition_is_part_of_what_is_allowed() -> None:
    org = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    loose, strict = (
        allow("s3:GetObject", "arn:aws:s3:::b/*"),
        allow("s3:GetObject", "arn:aws:s3:::b/*", Condition=org),
    )
    gained, lost = compared(template(strict), template(loose))
    assert (gained.condition, gained.gained) == ("", True)
    assert json.loads(lost.condition) == org and not lost.gained


def test_policies_beside_the_role_and_those_of_resources_count() -> None:
    after = template(LOGS)
    after["Resources"] |= {
        "More": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {"Statement": allow("s3:GetObject", "b")},
            },
        },
        "Open": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Principal": "*",
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
            },
        },
        "Topic": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "s3.amazonaws.com"},
                            "Action": "sns:Publish",
                            "Resource": "*",
                        }
                    ]
                }
            },
        },
        "Managed": {
            "Type": "AWS::IAM::Role",
            "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
        },
    }
    found = {change.who: change for change in compared(template(LOGS), after)}
    assert found["Role"].actions == ("s3:GetObject",)
    assert found["*"].alarming and found["*"].resources == ("${Function}",)
    assert found["s3.amazonaws.com"].resources == ("${Topic}",)
    assert found["Managed"].alarming and "AdministratorAccess" in found["Managed"].actions[0]


# --- secrets ----------------------------------------------------------------------------------------------------------


def shown(**more: Any) -> Preview:
    given: dict[str, Any] = {
        "state": State.UPDATE,
        "status": "UPDATE_COMPLETE",
        "resources": (),
        "settings": (),
        "permissions": (),
        "cost_before": PRICES,
        "cost_after": PRICES,
    }
    return Preview(**(given | more))


def test_no_secret_is_in_what_is_shown_wherever_aws_puts_it() -> None:
    secrets = [STACK, REGION, "123456789012", "example.com", "Z0123456789", "ops@example.org"]
    hidden = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/endpoint-x.api.example.com"
    change = {
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": "LogGroup",
            "PhysicalResourceId": hidden,
            "ResourceType": "AWS::Logs::LogGroup",
            "Replacement": "True",
            "Details": [
                {
                    "Target": {
                        "Attribute": "Properties",
                        "Name": "Name",
                        "BeforeValue": hidden[:50],
                        "AfterValue": secret,
                    },
                    "CausingEntity": hidden,
                }
                for secret in secrets
            ],
        }
    }
    may = permissions.Change("Role", (), True, False, (f"s3:{STACK}",), (hidden, *secrets), hidden, True)
    other = permissions.Change(hidden, (), True, False, ("sts:AssumeRole",), ("${Role}",), "", True)
    whole = shown(
        resources=tuple(parse_changes([change])),
        settings=tuple(Setting("BaseDomain", secret, hidden[-20:]) for secret in secrets),
        permissions=(may, other),
    )
    said = as_markdown(masked(whole, secrets))
    assert "***" in said
    for secret in secrets:
        assert secret in as_markdown(whole), "the test shows nothing"
        assert secret not in said


def test_prose_stays_whole_where_a_secret_is_a_word_of_it() -> None:
    """A gap in a sentence that everybody knows would tell the stack's name."""
    assert as_markdown(masked(shown(), ["stack", "change", "resources"])) == as_markdown(shown())


def test_logical_ids_stay_whole_and_principals_do_not() -> None:
    role = permissions.Change("Role", ("Function",), True, False, ("s3:GetObject",), ("b",), "", False)
    said = as_markdown(masked(shown(permissions=(role,)), ["Role", "Function"]))
    assert "`Role` (the role of `Function`) may now call" in said
    account = permissions.Change("123456789012", (), True, False, ("sts:AssumeRole",), ("${Role}",), "", True)
    assert "123456789012" not in as_markdown(masked(shown(permissions=(account,)), ["123456789012"]))


def test_a_longer_secret_is_hidden_before_one_that_is_in_it() -> None:
    assert masked("api.prod.example.com", ["prod", "prod.example.com"]) == "api.***"


# --- the comment ------------------------------------------------------------------------------------------------------


@pytest.fixture
def github(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub("example/endpoint", tmp_path / "commits") as github:
        github.open_pull_request(7)
        github.comment(7, "Looks good")
        yield github


def put(github: FakeGitHub, body: str, place: str = "the stack") -> None:
    token = github.grant({"pull-requests": "write"})
    comments.write_comment(GitHub(github.repository, token, github.api_url), 7, place, body)


def last_lines(github: FakeGitHub) -> list[str]:
    return [body.splitlines()[-1] for body in github.bodies(7)]


def test_there_is_one_comment_and_it_is_written_anew(github: FakeGitHub) -> None:
    for body in ("first", "second", "second"):
        put(github, body)
    assert last_lines(github) == ["Looks good", "second"]
    written = [each.request.method for each in github.exchanges if each.request.method != "GET"]
    assert written == ["POST", "PATCH"]  # the same once more is no edit that people are told of


def test_each_environment_has_one_of_its_own(github: FakeGitHub) -> None:
    for place in ("staging", "production", "staging"):
        put(github, f"of {place}", place)
    assert last_lines(github) == ["Looks good", "of staging", "of production"]


def test_a_persons_comment_is_never_written_over(github: FakeGitHub) -> None:
    github.comment(7, "<!-- pennyworth: the preview of the stack -->\nmine")
    put(github, "ours")
    assert last_lines(github) == ["Looks good", "mine", "ours"]


def test_it_is_found_behind_many_others(github: FakeGitHub) -> None:
    put(github, "first")
    for number in range(150):
        github.comment(7, f"remark {number}")
    put(github, "second")
    assert [line for line in last_lines(github) if line in ("first", "second")] == ["second"]


def test_a_long_comment_is_cut_at_a_line_and_its_boxes_closed() -> None:
    body = "<details><summary>All</summary>\n\n" + "| one | two |\n" * 10_000
    short = comments.truncate(body)
    assert len(short) < 65_536
    assert short.count("<details>") == short.count("</details>")
    assert "See the run's summary" in short
    assert comments.truncate("short") == "short"


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_value_can_not_leave_its_cell_or_its_backticks() -> None:
    said = as_markdown(shown(settings=(Setting("Name", "a|b", "`x` @everybody <img>\n| new | row |"),)))
    rows = [line for line in said.splitlines() if line.startswith("| `Name`")]
    assert rows == ["| `Name` | `a\\|b` | `'x' @everybody <img> \\| new \\| row \\|` |"]


def test_a_loss_is_said_first_and_loudly() -> None:
    changes = parse_changes(page for pages in recorded("update")["pages"] for page in pages["Changes"])
    said = as_markdown(shown(resources=tuple(changes)))
    assert "> [!CAUTION]\n> **Data would be lost**\n> - `LogGroup` (AWS::Logs::LogGroup) is replaced:" in said
    assert said.index("[!CAUTION]") < said.index("#### Resources")
    assert "`Table`" not in said[: said.index("#### Resources")]  # the old one is kept
    assert "| 🟠&nbsp;replaced, old one kept | `Table` |" in said
    assert "| 🟠&nbsp;**replaced**&nbsp;⚠️ | `LogGroup` |" in said
    assert "`Api` may be replaced: the plain API URL changes." in said


@pytest.mark.parametrize(
    ("gained", "denies", "action", "resource", "said"),
    [
        (True, False, "s3:GetObject", "b", "🔓 `R` may now call `s3:GetObject` on `b`"),
        (False, False, "s3:GetObject", "*", "🔒 `R` may no longer call `s3:GetObject` on **everything**"),
        (True, True, "s3:*", "b", "🔒 `R` is now denied `s3:*` on `b`"),
        (False, True, "*", "${Logs.Arn}", "🔓 `R` is no longer denied **everything** on `Logs`"),
        (True, False, "sts:AssumeRole", "${Role}", "🔓 `R` may now assume the role `Role`"),
        (
            True,
            True,
            "whatever the boundary arn:cap does not allow",
            "",
            "🔒 `R` is now capped by `arn:cap`",
        ),
        (
            False,
            True,
            "whatever the boundary arn:cap does not allow",
            "",
            "🔓 `R` is no longer capped by `arn:cap`",
        ),
        (
            True,
            False,
            "whatever the policy arn:all allows",
            "",
            "🔓 `R` may now do whatever the policy `arn:all` allows",
        ),
        (True, False, "everything but s3:*", "b", "🔓 `R` may now call everything but `s3:*` on `b`"),
    ],
)
def test_a_permission_is_said_in_a_sentence(
    gained: bool, denies: bool, action: str, resource: str, said: str
) -> None:
    change = permissions.Change("R", (), gained, denies, (action,), (resource,), "", False)
    assert f"\n- {said}\n" in as_markdown(shown(permissions=(change,)))
    alarming = permissions.Change("R", (), gained, denies, (action,), (resource,), "", True)
    assert f"- {said[0]} ⚠️ `R`" in as_markdown(shown(permissions=(alarming,)))


def test_every_state_says_what_it_is() -> None:
    assert as_markdown(shown()).startswith("✅ **Nothing would change**")
    assert render_headline(shown()) == "nothing would change"
    busy = as_markdown(shown(state=State.BLOCKED, status="UPDATE_IN_PROGRESS"))
    assert "Another operation is in progress" in busy
    broken = as_markdown(shown(state=State.BLOCKED, status="UPDATE_ROLLBACK_FAILED"))
    assert "`pennyworth recover` continues the rollback" in broken and "UPDATE_ROLLBACK_FAILED" in broken
    first = as_markdown(shown(state=State.FIRST, status="", cost_before=None))
    assert "first deployment" in first
