"""Credentials from the Parameter Store: at start, while the gateway runs, and where the store does not answer."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import boto3
import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway, Start
from tests.gateway.test_direct import QUESTION, plain

from pennyworth.gateway import parameters
from pennyworth.gateway.aws.client import AwsError
from pennyworth.gateway.config import ConfigError
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.parameters import Followed, Values
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

REGION = "us-west-2"
PATH = "/endpoint/credentials"
CHAT = "/v1/chat/completions"
DOCUMENT = {"model_list": [{"model_name": "smart", "litellm_params": {"model": "openai/real-name"}}]}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def put(aws: LocalAws) -> Iterator[Callable[..., None]]:
    """Puts parameters: `put(OPENAI_API_KEY="sk-")`; None takes one away."""
    given = aws.environ(REGION)
    ssm = boto3.client(
        "ssm",
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
    there: set[str] = set()

    def put(**values: str | None) -> None:
        for name, value in values.items():
            full = f"{PATH}/{name}"
            if value is None:
                ssm.delete_parameter(Name=full)
                there.discard(full)
            else:
                ssm.put_parameter(Name=full, Value=value, Type="SecureString", Overwrite=True)
                there.add(full)

    yield put
    for name in there:
        ssm.delete_parameter(Name=name)


def environ(aws: LocalAws, **more: str) -> dict[str, str]:
    return {**aws.environ(REGION), "PENNYWORTH_PARAMETERS": PATH, "PENNYWORTH_REFRESH_SECONDS": "0.3", **more}


def ask(gateway: RunningGateway, key: str = KEY) -> tuple[int, dict[str, str], dict[str, Any]]:
    body = json.dumps({"model": "smart", "messages": QUESTION}).encode()
    status, headers, answer = plain(gateway, "POST", CHAT, body, headers={"Authorization": f"Bearer {key}"})
    return status, headers, json.loads(answer)


def becomes(expected: int, call: Callable[[], int], seconds: float = 10) -> None:
    """A call's status, asked for until it is so."""
    until = time.monotonic() + seconds
    while (status := call()) != expected:
        assert time.monotonic() < until, f"still {status}"
        time.sleep(0.05)


def config(upstream: ScriptedUpstream, **params: Any) -> dict[str, Any]:
    entry = {"model": "openai/real-name", "api_base": upstream.base_url, **params}
    return {"model_list": [{"model_name": "smart", "litellm_params": entry}]}


@pytest.mark.parametrize("params", [{}, {"api_key": "os.environ/OPENAI_API_KEY"}], ids=["usual", "referred"])
def test_a_rotation_needs_no_restart(
    start_gateway: Start,
    aws: LocalAws,
    upstream: ScriptedUpstream,
    put: Callable[..., None],
    params: dict[str, str],
) -> None:
    put(LITELLM_API_KEYS="first-key", OPENAI_API_KEY=UPSTREAM_KEY)
    gateway = start_gateway(config(upstream, **params), env=environ(aws))
    assert ask(gateway, "first-key")[0] == 200
    assert ask(gateway, "second-key")[0] == 401
    assert ask(gateway, KEY)[0] == 401, "the parameter wins over the variable"

    put(LITELLM_API_KEYS="first-key,second-key")
    becomes(200, lambda: ask(gateway, "second-key")[0])
    put(LITELLM_API_KEYS="second-key")
    becomes(401, lambda: ask(gateway, "first-key")[0])
    assert ask(gateway, "second-key")[0] == 200

    upstream.key = "sk-upstream-renewed"
    becomes(401, lambda: ask(gateway, "second-key")[0])
    assert "refused the gateway's credentials" in ask(gateway, "second-key")[2]["error"]["message"]
    put(OPENAI_API_KEY="sk-upstream-renewed")
    becomes(200, lambda: ask(gateway, "second-key")[0])

    put(LITELLM_API_KEYS=None)
    becomes(200, lambda: ask(gateway, KEY)[0])  # the variable is what is left
    put(OPENAI_API_KEY=None)
    becomes(500, lambda: ask(gateway, KEY)[0])

    log = "".join(gateway.output)
    assert gateway.logged(lambda line: line.get("gone") == ["LITELLM_API_KEYS"])
    for value in ("first-key", "second-key", UPSTREAM_KEY, "sk-upstream-renewed"):
        assert value not in log


def test_more_than_a_page_and_the_function_s_own_names(
    start_gateway: Start, aws: LocalAws, upstream: ScriptedUpstream, put: Callable[..., None]
) -> None:
    put(
        **{f"NAME_{number:02}": "x" for number in range(21)},
        AWS_SECRET_ACCESS_KEY="another",
        Z_KEY=UPSTREAM_KEY,
    )
    gateway = start_gateway(config(upstream, api_key="os.environ/Z_KEY"), env=environ(aws))
    assert ask(gateway)[0] == 200
    assert gateway.logged(lambda line: line.get("name") == "AWS_SECRET_ACCESS_KEY")
    put(Z_KEY="wrong")  # it can still read
    becomes(401, lambda: ask(gateway)[0])


def test_a_stream_under_way_keeps_what_it_began_with(
    start_gateway: Start, aws: LocalAws, upstream: ScriptedUpstream, put: Callable[..., None]
) -> None:
    put(LITELLM_API_KEYS="first-key", OPENAI_API_KEY=UPSTREAM_KEY)
    gateway = start_gateway(config(upstream), env=environ(aws))
    upstream.answer = Answer(text="one two three four five six seven eight", pace=0.3)
    client = gateway.client(api_key="first-key")
    stream = client.chat.completions.create(model="smart", messages=QUESTION, stream=True)
    text = ""
    for number, chunk in enumerate(stream):
        if number == 0:
            put(LITELLM_API_KEYS="second-key", OPENAI_API_KEY="wrong")
            becomes(401, lambda: plain(gateway, "GET", "/v1/models", headers=bearer("first-key"))[0])
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    assert text.split()[-1] == "eight"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_store_that_does_not_answer(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    down = LocalAws(port=port)
    given = {**_elsewhere(port), "PENNYWORTH_PARAMETERS": PATH, "PENNYWORTH_REFRESH_SECONDS": "0.3"}
    gateway = start_gateway(config(upstream), env={**given, "OPENAI_API_KEY": UPSTREAM_KEY})
    assert plain(gateway, "GET", "/health")[0] == 200
    status, headers, answer = ask(gateway)
    assert (status, answer["error"]["code"]) == (503, "credentials_unavailable")
    assert "Unreachable" in answer["error"]["message"]
    assert int(headers["retry-after"]) > 0
    assert gateway.logged(lambda line: "could not be read; requests are refused" in line["message"])

    with down as aws:
        _put(aws, LITELLM_API_KEYS="first-key")
        assert ask(gateway, "first-key")[0] == 200, "the next request tries again"
        assert ask(gateway, KEY)[0] == 401
    until = time.monotonic() + 3  # well past the limit
    while time.monotonic() < until:
        assert ask(gateway, "first-key")[0] == 200, "what is known stays"
        time.sleep(0.2)
    assert gateway.logged(lambda line: "the previous ones stay" in line["message"])


def _elsewhere(port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def _put(aws: LocalAws, **values: str) -> None:
    keys = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "test"}
    ssm = boto3.client("ssm", endpoint_url=aws.endpoint, region_name=REGION, **keys)
    for name, value in values.items():
        ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString")


def test_without_parameters_nothing_of_it_is_imported(
    start_gateway: Start, aws: LocalAws, upstream: ScriptedUpstream
) -> None:
    traced = {"PYTHONPROFILEIMPORTTIME": "1", "OPENAI_API_KEY": UPSTREAM_KEY}
    plainly = start_gateway(config(upstream), env={**aws.environ(REGION), **traced}, fresh=True)
    assert ask(plainly)[0] == 200
    imported = "".join(plainly.output)
    assert "pennyworth.gateway.settings" in imported
    assert "pennyworth.gateway.parameters" not in imported and "pennyworth.gateway.aws" not in imported
    following = start_gateway(config(upstream), env={**environ(aws), **traced}, fresh=True)
    assert ask(following)[0] == 200
    imported = "".join(following.output)
    assert "pennyworth.gateway.aws.client" in imported
    assert not {"boto3", "botocore"} & {line.split("|")[-1].strip() for line in imported.splitlines()}


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan"])
def test_refresh_seconds_that_make_no_sense(seconds: str) -> None:
    with pytest.raises(ConfigError, match="PENNYWORTH_REFRESH_SECONDS"):
        parameters.follow(PATH, DOCUMENT, {"PENNYWORTH_REFRESH_SECONDS": seconds})


class Store:
    """Parameters that can be read, or not, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        self.values: Values | AwsError = {"LITELLM_API_KEYS": "k"}
        self.reads = 0
        self.hold = threading.Event()
        self.hold.set()
        monkeypatch.setattr(parameters.time, "time", lambda: self.now)

    def read(self) -> Values:
        self.reads += 1
        assert self.hold.wait(10)
        if isinstance(self.values, AwsError):
            raise self.values
        return dict(self.values)

    def followed(self) -> Followed:
        return Followed(self.read, lambda values: Settings.of(DOCUMENT, values), 300)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(monkeypatch)


def opens(settings: Settings, key: str) -> bool:
    try:
        settings.keys.authenticate(Request({"HTTP_X_API_KEY": key}, "GET", "/"))
    except ApiError:
        return False
    return True


def settled(store: Store, reads: int) -> None:
    until = time.monotonic() + 5
    while store.reads < reads or any(thread.name == "read parameters" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_request_waits_only_for_what_is_too_old(store: Store) -> None:
    followed = store.followed()
    followed.begin()
    first = followed()
    settled(store, 1)
    assert store.reads == 1
    store.now += 299
    assert followed() is first
    assert store.reads == 1

    store.values = {"LITELLM_API_KEYS": "new"}
    store.now += 2
    store.hold.clear()
    assert followed() is first, "it is read in the background"
    assert followed() is first, "and once"
    store.hold.set()
    settled(store, 2)
    second = followed()
    assert (opens(second, "new"), opens(second, "k"), opens(first, "k")) == (True, False, True)

    store.now += 301
    followed()
    settled(store, 3)
    assert followed() is second, "nothing has changed"

    store.values = {"LITELLM_API_KEYS": "newest"}
    store.now += 901
    assert opens(followed(), "newest"), "too old to answer with"
    assert store.reads == 4
    store.now -= 5000  # the clock was set back
    followed()
    assert store.reads == 5


def test_an_unknown_key_has_the_parameters_read_but_not_each_time(store: Store) -> None:
    followed = store.followed()
    first = followed()
    store.values = {"LITELLM_API_KEYS": "k,new"}
    store.now += 29
    assert followed(refresh=True) is first
    assert store.reads == 1
    store.now += 2
    assert opens(followed(refresh=True), "new")
    for _ in range(10):
        followed(refresh=True)
    assert store.reads == 2


def test_a_store_that_fails_is_not_asked_all_the_time(store: Store) -> None:
    followed = store.followed()
    first = followed()
    store.values = AwsError("Unreachable", "down")
    store.now += 901
    assert followed() is first
    assert store.reads == 2
    for _ in range(10):
        assert followed() is first
    assert store.reads == 2
    store.now += 31
    assert followed() is first
    assert store.reads == 3
    store.values = {"LITELLM_API_KEYS": "new"}
    store.now += 31
    assert opens(followed(), "new")


def test_requests_that_come_together_at_a_failing_start_ask_once(store: Store) -> None:
    store.values = AwsError("AccessDeniedException", "no")
    followed = store.followed()
    store.hold.clear()
    failures: list[ApiError] = []

    def request() -> None:
        try:
            followed()
        except ApiError as error:
            failures.append(error)

    threads = [threading.Thread(target=request) for _ in range(5)]
    for thread in threads:
        thread.start()
    store.now += 1
    store.hold.set()
    for thread in threads:
        thread.join()
    assert store.reads == 1
    assert [failure.status for failure in failures] == [503] * 5
    assert "AccessDeniedException" in failures[0].message and failures[0].headers
    store.values = {"LITELLM_API_KEYS": "k"}
    store.now += 1
    assert opens(followed(), "k")


def test_values_that_do_not_fit_the_configuration_leave_the_former_ones(store: Store) -> None:
    document: Mapping[str, Any] = {
        "model_list": [
            {"model_name": "m", "litellm_params": {"model": "openai/m", "timeout": "os.environ/SECONDS"}}
        ]
    }
    followed = Followed(store.read, lambda values: Settings.of(document, values), 300)
    store.values = {"SECONDS": "10"}
    first = followed()
    store.values = {"SECONDS": "many"}
    store.now += 901
    assert followed() is first
