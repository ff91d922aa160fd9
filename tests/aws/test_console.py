"""Addresses in the AWS console."""

import pytest

from pennyworth.aws.console import Console


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("us-west-2", "aws", "us-west-2.console.aws.amazon.com"),
        ("cn-north-1", "aws-cn", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-east-1", "aws-us-gov", "us-gov-east-1.console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_its_own_console(region: str, partition: str, host: str) -> None:
    console = Console(region, partition)
    for url in (console.build_function_url("one"), console.build_dashboard_url("one")):
        assert url.startswith(f"https://{host}/")
        assert f"region={region}#" in url


def test_a_log_group_is_written_as_the_console_does() -> None:
    url = Console("us-west-2").build_log_url("/aws/lambda/endpoint")
    assert url.endswith("#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fendpoint")


def test_a_stack_is_named_by_its_id() -> None:
    arn = "arn:aws:cloudformation:us-west-2:123456789012:stack/endpoint/1-2"
    assert (
        Console("us-west-2")
        .build_stack_url(arn)
        .endswith("stackId=arn%3Aaws%3Acloudformation%3Aus-west-2%3A123456789012%3Astack%2Fendpoint%2F1-2")
    )
