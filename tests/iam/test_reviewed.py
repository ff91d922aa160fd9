"""What a reviewer asks for, as a deployment on the local AWS makes it. tests/template has what the emulator lacks."""

import json

from .lifecycle import Recorded

ADDED = {"AccessLogGroup", "DomainIpv6Record", "KeepWarmPermission", "KeepWarmRule", "WebAclAssociation"}


def test_each_parameter_arrives(recorded_calls: Recorded) -> None:
    seen = recorded_calls.seen["update"]
    assert "ApiUrl" not in seen["outputs"] and "CustomDomainUrl" in seen["outputs"]
    assert seen["domain"]["endpointConfiguration"] == {"types": ["REGIONAL"], "ipAddressType": "dualstack"}
    assert seen["records"] == {"A", "AAAA"}
    (every,) = seen["stage"]["methodSettings"].values()
    assert (every["throttlingRateLimit"], every["throttlingBurstLimit"]) == (10, 20)
    assert seen["stage"]["tracingEnabled"] is True
    assert seen["acl"]["ResourceArns"] == [
        f"arn:aws:apigateway:us-west-2::/restapis/{seen['api']['id']}/stages/v1"
    ]
    keys = {group["logGroupName"]: group["kmsKeyId"].partition(":key/")[1] for group in seen["groups"]}
    assert keys == {"/aws/apigateway/endpoint": ":key/", "/aws/lambda/endpoint": ":key/"}
    assert seen["function"]["Configuration"]["TracingConfig"] == {"Mode": "Active"}


def test_what_takes_tags_is_tagged(recorded_calls: Recorded) -> None:
    seen = recorded_calls.seen["update"]
    tagged = (seen["function"]["Tags"], seen["api"]["tags"], seen["stage"]["tags"], seen["domain"]["tags"])
    for tags in tagged:
        assert {"team": "platform", "cost centre": "42"}.items() <= tags.items()


def test_the_call_that_keeps_it_warm_is_answered_as_a_callers_is(recorded_calls: Recorded) -> None:
    seen = recorded_calls.seen["update"]
    assert (seen["rule"]["ScheduleExpression"], seen["rule"]["State"]) == ("rate(5 minutes)", "ENABLED")
    assert seen["targets"][0]["Arn"].endswith(":live")
    head, _, body = seen["ping"].partition("\0" * 8)
    assert json.loads(head)["statusCode"] == 200  # each adapter spaces it in its own way
    assert json.loads(body) == {"status": "ok"}


def test_what_is_no_longer_asked_for_goes(recorded_calls: Recorded) -> None:
    seen = recorded_calls.seen["roll out"]
    assert not ADDED & set(seen["resources"])
    assert seen["tags"] == []
    assert not seen["stage"]["methodSettings"] and not seen["stage"]["tracingEnabled"]
    assert seen["ready"]["RequestedProvisionedConcurrentExecutions"] == 2
