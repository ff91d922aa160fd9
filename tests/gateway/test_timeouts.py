"""How long a provider may be silent: LiteLLM's settings, in LiteLLM's order, and what a request asks."""

import json
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import openai
import pytest
from tests.gateway.conftest import UPSTREAM_KEY, RunningGateway, Start
from tests.gateway.test_direct import QUESTION

from pennyworth.gateway.asked import NOTHING_ASKED, Asked
from pennyworth.gateway.call import Deadline
from pennyworth.gateway.config import parse
from pennyworth.gateway.lanes import direct
from pennyworth.gateway.timeouts import Timeouts
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

ALL = {"timeout": 1.0, "request_timeout": 2.0, "stream_timeout": 3.0}


@pytest.mark.parametrize(
    ("timeouts", "params", "plain", "stream"),
    [
        (Timeouts(), {}, 600, 600),
        (Timeouts(request=4), {}, 4, 4),
        (Timeouts(router=5), {}, 5, 5),
        (Timeouts(request=4, router=5), {}, 4, 4),
        (Timeouts(request=4, router=5, stream=6), {}, 4, 6),
        (Timeouts(request=4), {"timeout": 1.0}, 1, 1),
        # LiteLLM's own: with a timeout of the router's, the other one goes before a model's for streams
        (Timeouts(request=4, router=5), {"timeout": 1.0}, 1, 4),
        (Timeouts(request=4, router=5, stream=6), {"timeout": 1.0}, 1, 6),
        (Timeouts(request=4, router=5, stream=6), ALL, 1, 3),
        (Timeouts(), {"request_timeout": 2.0}, 2, 2),
    ],
)
def test_the_order_is_litellms(
    timeouts: Timeouts, params: Mapping[str, float], plain: float, stream: float
) -> None:
    chosen = [timeouts.choose(params, NOTHING_ASKED, stream=streams) for streams in (False, True)]
    assert chosen == [plain, stream]


@pytest.mark.parametrize(
    ("asked", "plain", "stream"),
    [
        (Asked(timeout=0.5), 0.5, 3),
        (Asked(timeout=9), 1, 3),
        (Asked(stream_timeout=0.5), 1, 0.5),
        (Asked(stream_timeout=9), 1, 3),
    ],
)
def test_a_request_can_only_shorten_it(asked: Asked, plain: float, stream: float) -> None:
    chosen = [Timeouts().choose(ALL, asked, stream=streams) for streams in (False, True)]
    assert chosen == [plain, stream]


def test_they_are_read_from_the_file() -> None:
    made = parse(
        {
            "model_list": [
                {
                    "model_name": "m",
                    "litellm_params": {"model": "openai/m"},
                    "model_info": {"max_stream_duration": "7"},
                }
            ],
            "router_settings": {"timeout": "os.environ/SECONDS", "stream_timeout": 2},
            "litellm_settings": {"request_timeout": 3},
            "general_settings": {"max_stream_duration": 4},
        },
        {"SECONDS": "1.5"},
    )
    assert made.timeouts == Timeouts(request=3, router=1.5, stream=2, whole_stream=4)
    assert not made.problems
    assert made.timeouts.choose_whole(made.deployments[0].info) == 7
    assert made.timeouts.choose_whole({}) == 4


def test_a_deadline_counts_from_when_waiting_begins() -> None:
    deadline = Deadline(silence=-1)
    assert not deadline.has_passed()
    deadline.touch()
    assert deadline.has_passed()
    assert "sent nothing for" in deadline.describe()
    over = Deadline(time.monotonic() - 1)
    assert over.has_passed() and over.left() < 0
    assert "did not finish" in over.describe()


class Models:
    """A gateway whose models differ in their time-outs, one upstream behind all of them, on either lane."""

    def __init__(self, start: Start, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        self.gateway: RunningGateway = start(
            {
                "model_list": [
                    self._entry("patient", {}),
                    self._entry("stream", {"stream_timeout": 1.5}),
                    self._entry("any", {"timeout": 1.5}),
                    self._entry("whole", {}, max_stream_duration=0.6),
                ]
            }
        )

    def _entry(self, name: str, params: dict[str, Any], **info: Any) -> dict[str, Any]:
        params |= {"model": "openai/m", "api_base": self.upstream.base_url, "api_key": UPSTREAM_KEY}
        return {"model_name": name, "litellm_params": params, "model_info": info}

    def ask(self, model: str, answer: Answer, **options: Any) -> Any:
        self.upstream.answer = answer
        return self.gateway.client().chat.completions.create(model=model, messages=QUESTION, **options)


@pytest.fixture
def models(start_gateway: Start, upstream: ScriptedUpstream) -> Models:
    return Models(start_gateway, upstream)


@pytest.mark.parametrize("model", ["stream", "any"])
def test_a_stream_runs_as_long_as_something_comes(models: Models, model: str) -> None:
    began = time.monotonic()
    # a comment is something
    chunks = list(models.ask(model, Answer(text="a b c d e f", pace=0.3, comment="waiting"), stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert time.monotonic() - began > 1.5


def test_a_whole_stream_may_have_a_limit(models: Models) -> None:
    with pytest.raises(openai.APIError) as late:
        list(models.ask("whole", Answer(text="a b c d e", pace=0.2), stream=True))
    assert late.value.code == "upstream_timeout"


def test_a_request_gives_up_earlier_where_it_asks_for_it(models: Models) -> None:
    silent = Answer(fault="silence")
    asks: tuple[dict[str, Any], ...] = (
        {"extra_body": {"timeout": 0.3}},
        {"extra_headers": {"x-litellm-timeout": "0.3"}, "extra_body": {"timeout": 500}},
        {"extra_headers": {"x-litellm-stream-timeout": "0.3"}, "stream": True},
    )
    for options in asks:
        with pytest.raises(openai.APIStatusError) as late:
            models.ask("patient", silent, **options)
        assert (late.value.status_code, late.value.code) == (504, "upstream_timeout")
        assert "sent nothing for 0.3 seconds" in late.value.message
    assert "timeout" not in json.loads(models.upstream.requests[0].raw)


class Instant:
    """An exchange whose bytes are all there."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._pieces = [b"data: 1\n\n", b"data: 2\n\n", b""]

    def read_some(self) -> bytes:
        assert not self._deadline.has_passed()
        return self._pieces.pop(0)


def test_a_client_that_reads_slowly_is_no_silence() -> None:
    deadline = Deadline(silence=0.05)
    events: Any = direct._whole_events(
        cast(Any, Instant(deadline)), cast(Any, SimpleNamespace(deadline=deadline, upstream=None))
    )
    assert next(events)
    time.sleep(0.1)
    assert len(list(events)) == 1
