"""The same for the AWS client: no call ever returns what was meant for another one."""

import json
import time
from collections.abc import Iterable, Iterator

import pytest
from tests.gateway.oddities.due import text_for
from tests.gateway.oddities.stage import Scene, Stage, new_mark
from tests.gateway.oddities.table import OF_BYTES, OF_EXCHANGES, Oddity
from tests.gateway.providers.wires import Answer

from pennyworth.gateway.aws.client import AwsError, Client

NAMES = (
    *("early-hints-and-later-the-answer", "early-hints-with-the-answer", "fifty-informational-ones"),
    *("early-hints-and-the-answer-past-the-deadline", "early-hints-behind-the-answer", "switching-protocols"),
    *("a-second-answer-right-behind", "a-second-answer-soon-after", "rubbish-right-behind-length"),
    *("an-error-and-a-second-answer", "a-large-error", "an-answer-before-the-request"),
    *("a-chunk-size-smaller-than-the-chunk", "no-last-chunk-but-a-second-answer", "no-end-of-the-trailers"),
    *("trailers", "a-short-length-and-chunks", "two-different-lengths", "a-length-shorter-than-the-body"),
    *(
        "a-length-longer-than-the-body-and-silence",
        "204-with-a-body",
        "close-in-the-body",
        "reset-in-the-body",
    ),
    "the-rest-past-the-deadline",
)


class Parameters:
    """The wire format of the Parameter Store's answers."""

    stream_type = ""

    def whole(self, answer: Answer) -> bytes:
        return json.dumps({"Parameters": [{"Name": "/a", "Value": "".join(answer.text)}]}).encode()

    def events(self, answer: Answer) -> Iterable[bytes]:
        return [self.whole(answer)]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as running:
        yield running


def chosen() -> list[Oddity]:
    by_name = {oddity.name: oddity for oddity in (*OF_EXCHANGES, *OF_BYTES)}
    return [by_name[name] for name in NAMES]


@pytest.mark.parametrize("oddity", chosen(), ids=str)
def test_each_call_returns_its_own_answer_or_fails(oddity: Oddity, stage: Stage) -> None:
    mark = new_mark()
    scene = Scene(oddity, Parameters(), False, mark)
    stage.begin(scene)
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE0123",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-0123456789",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": stage.url,
    }

    def value(mark: str, seconds: float) -> str:
        payload = {"Path": f"/{mark}", "Recursive": True}
        answer = Client(environ).call("ssm", "GetParametersByPath", payload, seconds=seconds)
        return "".join(parameter["Value"] for parameter in answer["Parameters"])

    try:
        assert value(mark, 10 if oddity.legal else 1.5) == text_for(mark)
    except AwsError:
        assert not oddity.legal
    if oddity.late:
        scene.settle()
    for _ in range(2):
        other = new_mark()
        assert value(other, 10) == text_for(other)
        time.sleep(0.1)
