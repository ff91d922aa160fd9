"""A stack's parameters: what lines say, and what a template takes."""

from collections.abc import Mapping

import pytest

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_parameters import check_parameters, input_of, read_parameters
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT

TEMPLATE = SourceTemplate.read(ROOT / "template.yaml").document
TYPED = SourceTemplate.parse("""
Parameters:
  Word: {Type: String, MinLength: 2, MaxLength: 4}
  Least: {Type: Number, MinValue: 3}
  Names: {Type: CommaDelimitedList, AllowedValues: [a, b]}
Rules:
  Undecidable:
    Assertions:
      - {Assert: !Contains [[a], !Ref Word], AssertDescription: CloudFormation decides that}
""").document


def wrong(template: Mapping[str, object], **given: str) -> list[str]:
    try:
        check_parameters(template, given)
    except OperationFailed as failure:
        return failure.detail.splitlines()
    return []


def refused(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(OperationFailed) as failure:
        read_parameters(environ)
    return failure.value.detail.splitlines()


def test_lines_and_variables_are_read() -> None:
    text = """
    # smaller
    MemorySize=512  # MiB
    CorsAllowOrigins="https://a.example, https://b.example"
    export Rollout='all-at-once'
    AlarmTopicArn=
    """
    assert read_parameters({"PARAMETERS": text, "PARAMETER_BaseDomain": "example.com", "PATH": "/bin"}) == {
        "BaseDomain": "example.com",
        "MemorySize": "512",
        "CorsAllowOrigins": "https://a.example, https://b.example",
        "Rollout": "all-at-once",
        "AlarmTopicArn": "",
    }
    assert read_parameters({}) == read_parameters({"PARAMETERS": ""}) == {}


def test_everything_that_is_wrong_with_lines_is_told_at_once() -> None:
    text = "MemorySize 512\nRollout=a\nRollout=b\nApiKeys=sk-secret\nBaseDomain=example.com\n"
    assert refused({"PARAMETERS": text, "PARAMETER_BaseDomain": "example.org"}) == [
        "line 1: expected NAME=VALUE",
        "line 3: Rollout is set in line 2 already",
        "line 4: ApiKeys is a secret. Set the input api-keys from a repository secret",
        "line 5: BaseDomain is set by the input base-domain already",
    ]


def test_an_empty_input_leaves_its_parameter_to_the_lines() -> None:
    environ = {"PARAMETERS": "BaseDomain=example.com", "PARAMETER_BaseDomain": ""}
    assert read_parameters(environ) == {"BaseDomain": "example.com"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("Memorysize", "512", "there is no parameter Memorysize. Did you mean MemorySize?"),
        ("MEMORY_SIZE", "512", "there is no parameter MEMORY_SIZE. Did you mean MemorySize?"),
        ("memory-size", "512", "there is no parameter memory-size. Did you mean MemorySize?"),
        ("LogRetention", "7", "there is no parameter LogRetention. Did you mean LogRetentionDays?"),
        ("MemorySize", "64", "MemorySize must be a number, at least 128 and at most 10240"),
        ("MemorySize", "512 MiB", "MemorySize must be a number, at least 128 and at most 10240"),
        ("MemorySize", "nan", "MemorySize must be a number, at least 128 and at most 10240"),
        ("Monitoring", "true", "Monitoring must be one of yes, no"),
        ("BaseDomain", "Example.com", "BaseDomain must be a domain name in lower case"),
        ("BaseDomain", "example.com\n", "BaseDomain must be a domain name in lower case"),
        ("LogRetentionDays", "2", "LogRetentionDays must be one of 1, 3, 5"),
    ],
)
def test_what_the_template_refuses_is_told_before_cloudformation_refuses_it(
    name: str, value: str, said: str
) -> None:
    (line,) = wrong(TEMPLATE, **{name: value})
    assert line.startswith(said)


def test_no_value_is_shown() -> None:
    """It may be somebody's secret."""
    assert "secret" not in "".join(
        wrong(TEMPLATE, BaseDomain="a secret", AlarmEmail="secret", MemorySize="secret")
    )


def test_a_name_like_no_other_gets_the_whole_list() -> None:
    (line,) = wrong(TEMPLATE, Xyzzy="1")
    assert f"There are {', '.join(sorted(TEMPLATE['Parameters']))}." in line


def test_rules_are_checked_where_everything_is_given() -> None:
    (line,) = wrong(TEMPLATE, BaseDomain="example.com")
    assert line.startswith("BaseDomain needs Route53HostedZoneId")
    assert not wrong(TEMPLATE, BaseDomain="example.com", Route53HostedZoneId="Z1")
    check_parameters(TEMPLATE, {"BaseDomain": "example.com"}, rules=False)


def test_an_empty_value_is_the_default() -> None:
    assert not wrong(TEMPLATE, MemorySize="", Monitoring="", BaseDomain="")


def test_what_only_cloudformation_can_check_is_left_to_it() -> None:
    assert not wrong(TYPED, Names="a,b", Word="abc", Least="3")
    assert wrong(TYPED, Word="a") == ["Word must have 2 to 4 characters"]
    assert wrong(TYPED, Least="2.5") == ["Least must be a number, at least 3"]


def test_an_input_is_called_as_its_parameter() -> None:
    assert [input_of(name) for name in ("BaseDomain", "Route53HostedZoneId", "ApiKeys")] == [
        "base-domain",
        "route53-hosted-zone-id",
        "api-keys",
    ]
