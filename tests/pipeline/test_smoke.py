"""The smoke tests against a real gateway, and against an upstream that makes each of them fail."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pennyworth.host.places import ROOT
from pennyworth.host.processes import Child
from pennyworth.localaws.scripted import Answer, ScriptedUpstream
from pennyworth.pipeline import smoke

KEY = "sk-smoke-tests"


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(Answer(pace=0.02)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a gateway process in front of the scripted upstream."""
    folder = tmp_path_factory.mktemp("gateway")
    params = {"model": "openai/scripted", "api_base": upstream.base_url, "api_key": "sk-upstream"}
    entries = [{"model_name": name, "litellm_params": params} for name in ("first", "second")]
    (folder / "config.json").write_text(json.dumps({"model_list": entries}))
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "PENNYWORTH_CONFIG": str(folder / "config.json"),
        "LITELLM_API_KEYS": KEY,
        "CORS_ALLOW_ORIGINS": "https://app.example.com",
        "PORT": "0",
    }
    command = [sys.executable, "-m", "pennyworth.gateway"]
    with Child(command, log=folder / "gateway.log", env=environ) as child:
        yield f"http://127.0.0.1:{_port(child)}/v1"


def _port(child: Child) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and child.running():
        for line in child.log.read_text().splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise AssertionError(child.tail())


def _statuses(results: list[smoke.Result]) -> dict[str, str]:
    return {result.check: result.status for result in results}


def test_every_check_passes_against_the_gateway(gateway: str) -> None:
    told: list[smoke.Result] = []
    results = smoke.run(smoke.Endpoint(gateway, KEY), origin="https://app.example.com", report=told.append)
    assert [result for result in results if result.status != "passed"] == []
    assert [(r.check, r.model) for r in results if r.model] == [
        ("chat", "first"),
        ("chat", "second"),
        ("stream", "first"),
        ("stream", "second"),
    ]
    assert told == results
    assert {result.check for result in results} == {check.name for check in smoke.CHECKS}


def test_models_may_be_named_and_limited(gateway: str) -> None:
    endpoint = smoke.Endpoint(gateway, KEY)
    named = smoke.run(endpoint, models=["second"], skip=["stream", "cors"])
    assert [r.model for r in named if r.check == "chat"] == ["second"]
    assert {r.check for r in named if r.status == "skipped"} == {"stream", "cors"}
    limited = smoke.run(endpoint, limit=1, skip=["stream"])
    assert [r.model for r in limited if r.check == "chat"] == ["first"]


def test_an_origin_that_is_not_allowed_fails(gateway: str) -> None:
    results = smoke.run(smoke.Endpoint(gateway, KEY), skip=["chat", "stream"])
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.check == "cors"
    assert "CORS_ALLOW_ORIGINS" in failed.detail


def test_a_wrong_key_fails_and_is_not_told(gateway: str) -> None:
    results = smoke.run(smoke.Endpoint(gateway, "sk-not-this-one"))
    assert _statuses(results)["models"] == "failed"
    (models,) = [result for result in results if result.check == "models"]
    assert "PENNYWORTH_API_KEY" in models.detail
    assert "sk-not-this-one" not in smoke.as_json(results)


def test_an_endpoint_without_any_manners_fails_each_check() -> None:
    # it has no /health, asks for no key, answers for any model and any body, and knows no CORS
    with ScriptedUpstream(Answer(text="London?")) as rude:
        statuses = _statuses(smoke.run(smoke.Endpoint(rude.base_url, KEY)))
    assert statuses.pop("models") == "passed"
    assert set(statuses) == {check.name for check in smoke.CHECKS} - {"models"}
    assert set(statuses.values()) == {"failed"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(text=""), "the answer is empty"),
        (Answer(text="It is Berlin."), "'Paris' was expected"),
        (Answer(status=429, message="slow down"), "HTTP 429: slow down. Too many calls"),
        (Answer(status=502), "look into the function's log"),
        (Answer(fault="cut"), "did not answer"),
        (Answer(fault="cut", after=40), "did not answer"),
        (Answer(fault="silence"), "did not answer within 0.5 s"),
    ],
)
def test_an_answer_that_fails(answer: Answer, said: str) -> None:
    with ScriptedUpstream(answer) as upstream:
        endpoint = smoke.Endpoint(upstream.base_url, timeout=0.5)
        (result,) = [r for r in smoke.run(endpoint, skip=_all_but("chat")) if r.check == "chat"]
    assert result.status == "failed"
    assert said in result.detail


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(fault="buffer"), "responseTransferMode STREAM"),
        (Answer(fault="cut", after=3), "the stream broke"),
        (Answer(fault="silence", after=3), "the stream broke"),
        (Answer(fault="event", after=2, status=200, message="lost it"), "lost it"),
        (Answer(text="It is Berlin.", pace=0.01), "'Paris' was expected"),
        (Answer(status=500, message="oh"), "HTTP 500: oh."),
    ],
)
def test_a_stream_that_fails(answer: Answer, said: str) -> None:
    with ScriptedUpstream(answer) as upstream:
        endpoint = smoke.Endpoint(upstream.base_url, timeout=0.5)
        (result,) = [r for r in smoke.run(endpoint, skip=_all_but("stream")) if r.check == "stream"]
    assert result.status == "failed"
    assert said in result.detail


def _all_but(name: str) -> set[str]:
    return {check.name for check in smoke.CHECKS} - {name}


def test_a_stream_s_times_are_measured(upstream: ScriptedUpstream) -> None:
    upstream.then(Answer(text="Paris it is", pace=0.1))
    results = smoke.run(smoke.Endpoint(upstream.base_url), skip=_all_but("stream"))
    (stream,) = [result for result in results if result.check == "stream"]
    assert stream.status == "passed"
    assert stream.seconds >= 0.6  # role, three words, the finish and [DONE], 0.1 s each
    assert stream.detail.startswith("6 events, first after ")


def test_an_endpoint_that_is_not_there_is_told_once() -> None:
    with ScriptedUpstream() as gone:
        pass
    results = smoke.run(smoke.Endpoint(gone.base_url))
    assert [result.status for result in results] == ["failed"] + ["skipped"] * (len(smoke.CHECKS) - 1)
    assert "nothing listens" in results[0].detail


def test_a_name_that_does_not_resolve() -> None:
    results = smoke.run(smoke.Endpoint("https://api.pennyworth.invalid/v1"))
    assert "does not resolve" in results[0].detail
    assert "--connect" in results[0].detail


def test_connect_keeps_the_host_header(upstream: ScriptedUpstream) -> None:
    port = int(upstream.base_url.split(":")[2].split("/")[0])
    endpoint = smoke.Endpoint("http://api.pennyworth.invalid/v1", connect=("127.0.0.1", port))
    assert "scripted" in endpoint.models
    assert upstream.requests[-1].headers["host"] == "api.pennyworth.invalid"


def test_waiting_for_a_new_endpoint(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "_PAUSE_SECONDS", 0.01)
    with ScriptedUpstream() as rude:
        began = time.monotonic()
        results = smoke.run(smoke.Endpoint(rude.base_url), wait=0.2, skip=_all_but("health"))
        assert time.monotonic() - began >= 0.2
        assert _statuses(results)["health"] == "failed"
        assert len(rude.requests) > 1
    (health, *_) = smoke.run(smoke.Endpoint(gateway), wait=60, skip=_all_but("health"))
    assert health.status == "passed"
    assert health.seconds < 10


def _command(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    bare = {k: v for k, v in os.environ.items() if k not in ("PENNYWORTH_API_KEY", "OPENAI_API_KEY")}
    return subprocess.run(
        [sys.executable, "-S", "-m", "pennyworth.cli", "smoke", *words],
        env={**bare, "PYTHONPATH": str(ROOT / "src"), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_passes_with_the_key_from_the_environment(gateway: str) -> None:
    done = _command(gateway, "--json", "--origin", "https://app.example.com", PENNYWORTH_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert {"check", "model", "status", "seconds", "detail"} == set(document["results"][0])
    assert "✓ it answers [first]: 'The capital of France is Paris.'" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_the_command_fails_with_a_table(gateway: str) -> None:
    done = _command(gateway, "--markdown", "--key", KEY, "--expect", "Rome", "--skip", "cors")
    assert done.returncode == 1
    assert "| ✗ | it answers | `first` |" in done.stdout
    assert "| - | web pages may call it |" in done.stdout


@pytest.mark.parametrize("words", [["nowhere"], ["http://127.0.0.1:1/v1", "--skip", "nothing"], []])
def test_a_wrong_call_exits_with_2(words: list[str]) -> None:
    done = _command(*words)
    assert done.returncode == 2
    assert done.stderr


def test_the_module_needs_nothing_but_the_standard_library() -> None:
    bare = [sys.executable, "-S", "-I", "-c"]
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import pennyworth.pipeline.smoke"
    assert subprocess.run([*bare, code], check=False, timeout=60).returncode == 0
