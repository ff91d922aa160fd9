"""The smoke tests against a real gateway, and against an upstream that makes each of them fail."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pennyworth import __version__
from pennyworth.checks import smoke
from pennyworth.checks.smoke import runner
from pennyworth.host.places import ROOT
from pennyworth.host.processes import Child
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

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
        yield f"http://127.0.0.1:{listening_port(child)}/v1"


def listening_port(child: Child) -> int:
    """Where a gateway process listens, once it does."""
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
    endpoint = smoke.Endpoint(gateway, KEY)
    results = smoke.run(endpoint, origin="https://app.example.com", long_seconds=0.05, report=told.append)
    assert [result for result in results if result.status != "passed"] == []
    assert [(r.check, r.model) for r in results if r.model] == [
        ("chat", "first"),
        ("chat", "second"),
        ("stream", "first"),
        ("stream", "second"),
        ("long", "first"),
    ]
    assert told == results
    assert {result.check for result in results} == {check.name for check in smoke.CHECKS}


def test_models_may_be_named_and_limited(gateway: str) -> None:
    endpoint = smoke.Endpoint(gateway, KEY)
    named = smoke.run(endpoint, models=["second"], skip=["stream", "cors"])
    assert [r.model for r in named if r.check == "chat"] == ["second"]
    assert {r.check for r in named if r.status == "skipped"} == {"stream", "cors", "long"}
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


def test_a_refusal_of_this_machine_is_not_taken_for_a_wrong_address() -> None:
    body = (
        b'{"error": {"message": "This endpoint does not accept calls from here.", "code": "access_denied"}}'
    )
    denied, other = (smoke.Response(403, {}, text) for text in (body, b'{"message": "Forbidden"}'))
    assert denied.is_denied() and "AllowedIps or WebAclArn refuse this machine" in denied.explain()
    assert not other.is_denied() and "no such domain or path" in other.explain()
    assert not smoke.Response(400, {}, body).is_denied()


KEYED = {"unknown-model", "malformed", "large", "chat", "stream"}
"""The checks that follow that of the models and send the key."""


@pytest.mark.parametrize(("key", "reason"), [(None, "needs an API key"), ("sk-not-this-one", "is refused")])
def test_a_missing_or_refused_key_is_told_once(gateway: str, key: str | None, reason: str) -> None:
    results = smoke.run(smoke.Endpoint(gateway, key), origin="https://app.example.com")
    assert [result.check for result in results if result.status == "failed"][-1:] == ["models"]
    assert {result.check for result in results if reason in result.detail} == KEYED
    assert _statuses(results)["cors"] == "passed"
    assert sum("PENNYWORTH_API_KEY" in result.detail for result in results) == 1


def test_without_the_list_of_models_the_next_check_tells_it(gateway: str) -> None:
    skipped = {"models", "unknown-model", "malformed", "large"}
    results = smoke.run(smoke.Endpoint(gateway), models=["first", "second"], skip=skipped)
    chats = [result for result in results if result.check == "chat"]
    assert [result.status for result in chats] == ["failed", "skipped"]
    assert _statuses(results)["stream"] == "skipped"


def test_a_model_that_the_key_may_not_call_does_not_end_the_others() -> None:
    with ScriptedUpstream(Answer(pace=0.01)) as upstream:
        upstream.then(Answer(status=401, message="not this model"))
        endpoint = smoke.Endpoint(upstream.base_url, KEY)
        results = smoke.run(endpoint, models=["a", "b"], skip=_all_but("chat"))
    chats = [result.status for result in results if result.check == "chat"]
    assert chats == ["failed", "passed"]


@pytest.mark.parametrize(
    ("text", "key", "shown"),
    [
        ("at your expense", "x", "at your expense"),
        ("the key short is wrong", "short", "the key short is wrong"),
        ("an authorized author", "author", "an authorized ***"),
        ("the key sk-abc123. It is", "sk-abc123", "the key ***. It is"),
        ("'sk-abc123','sk-abc1234'", "sk-abc123", "'***','sk-abc1234'"),
        ("Bearer a+b/c==d?", "a+b/c==d", "Bearer ***?"),
        ("nothing is given", None, "nothing is given"),
    ],
)
def test_a_key_is_masked_where_it_stands_as_a_whole(text: str, key: str | None, shown: str) -> None:
    assert runner.mask(text, key) == shown


def test_a_short_key_is_said_not_to_be_masked(upstream: ScriptedUpstream) -> None:
    done = _command(upstream.base_url, "--key", "x")
    assert "shorter than 6 characters, so it is not masked" in done.stderr
    assert "so anyone can use it at your expense" in done.stderr
    assert "not masked" not in _command(upstream.base_url, "--key", "sk-longer").stderr


def test_the_command_without_a_key_says_how_to_give_one_once(gateway: str) -> None:
    done = _command(gateway)
    assert done.returncode == 1
    assert done.stderr.count("Set PENNYWORTH_API_KEY or --key") == 1
    assert done.stderr.splitlines()[-1].startswith("  ")


def test_an_endpoint_without_any_manners_fails_each_check() -> None:
    # it has no /health, asks for no key, answers for any model and any body, and knows no CORS
    with ScriptedUpstream(Answer(text="London?")) as rude:
        statuses = _statuses(smoke.run(smoke.Endpoint(rude.base_url, KEY), strict=True))
        assert statuses.pop("models") == "passed"
        assert set(statuses) == {check.name for check in smoke.CHECKS} - {"models"}
        assert statuses.pop("long") == "skipped"  # not asked for
        assert set(statuses.values()) == {"failed"}


def test_anothers_endpoint_need_not_have_what_only_the_gateway_promises() -> None:
    with ScriptedUpstream(Answer(pace=0.01)) as other:
        results = smoke.run(smoke.Endpoint(other.base_url))
        assert smoke.all_passed(results)
        statuses = _statuses(results)
        assert {name for name, status in statuses.items() if status == "passed"} == {
            "models",
            "chat",
            "stream",
        }
        assert "no /health" in results[0].detail
        # but a key that keeps nobody out is told to whom it was given, and so is a broken answer
        results = smoke.run(smoke.Endpoint(other.base_url, KEY))
        assert {r.check for r in results if r.status == "failed"} == {"no-key", "wrong-key"}
        assert "at your expense" in results[1].detail
        other.answer = Answer(status=500)
        failed = {r.check for r in smoke.run(smoke.Endpoint(other.base_url)) if r.status == "failed"}
        assert failed == {"large", "chat", "stream"}


def test_the_gateway_is_judged_by_its_promises_without_being_told_so(gateway: str) -> None:
    assert smoke.Endpoint(gateway).ours
    assert smoke.Endpoint(gateway).software.startswith("pennyworth ")
    with ScriptedUpstream() as other:
        assert not smoke.Endpoint(other.base_url).ours
        assert smoke.Endpoint(other.base_url).software == ""


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (Answer(status=413, message="too large"), "passed", "0.3 MB refused: 413 invalid_request_error"),
        (Answer(status=400, message="no JSON"), "passed", "0.3 MB accepted"),
        (Answer(status=500, message="oh"), "failed", "gets a server error. HTTP 500: oh."),
        (Answer(status=404, message="where?"), "skipped", "expected HTTP 400 or 413 or 422. HTTP 404"),
        (Answer(), "skipped", "HTTP 200"),
        (Answer(fault="cut"), "failed", "breaks the connection"),
        (Answer(fault="silence"), "failed", "did not answer within 0.5 s"),
    ],
)
def test_a_large_body(answer: Answer, status: str, said: str) -> None:
    with ScriptedUpstream(answer) as upstream:
        endpoint = smoke.Endpoint(upstream.base_url, timeout=0.5)
        results = smoke.run(endpoint, skip=_all_but("large"), large_bytes=300_000)
        assert len(upstream.requests[0].raw) == 300_000
    large = _one("large", results)
    assert large.status == status
    assert said in large.detail


def test_a_large_body_that_is_refused_before_it_was_read() -> None:
    with ScriptedUpstream(largest=1000) as upstream:
        endpoint = smoke.Endpoint(upstream.base_url, timeout=5)
        assert endpoint.call("POST", "/chat/completions", body=b" " * 2000).status == 413


def test_a_large_body_that_is_refused_in_another_shape_is_a_failure_only_where_that_is_promised() -> None:
    with _serving(413, b"<html>\n  Request Entity Too Large\n</html>") as url:
        assert _one("large", smoke.run(smoke.Endpoint(url), skip=_all_but("large"))).status == "skipped"
        result = _one("large", smoke.run(smoke.Endpoint(url), skip=_all_but("large"), strict=True))
    assert result.status == "failed"
    assert "not in OpenAI's error format: '<html> Request Entity Too Large </html>'" in result.detail


def test_a_long_request_is_measured_and_then_left() -> None:
    answer = Answer(text="word " * 60, pace=0.05, comment="still here")
    with ScriptedUpstream(answer) as upstream:
        results = smoke.run(smoke.Endpoint(upstream.base_url), skip=_all_but("long"), long_seconds=0.6)
        assert upstream.requests[-1].cancelled.wait(5)
    long = _one("long", results)
    assert long.status == "passed"
    assert 0.6 <= long.seconds < 3
    opened, silence, comments = map(float, re.findall(r"[\d.]+", long.detail))
    assert opened >= 0.6
    assert 0 < silence < opened
    assert comments >= 5


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (Answer(fault="cut", after=3, pace=0.05), "failed", "of 5 s: the stream broke"),
        (Answer(fault="event", after=3, message="lost it"), "failed", "lost it"),
        (Answer(status=504, message="too slow"), "failed", "of 5 s: HTTP 504: too slow"),
        (Answer(pace=0.01), "skipped", "before 5 s"),
    ],
)
def test_a_long_request_that_ends_too_early(answer: Answer, status: str, said: str) -> None:
    with ScriptedUpstream(answer) as upstream:
        results = smoke.run(smoke.Endpoint(upstream.base_url), skip=_all_but("long"), long_seconds=5)
    long = _one("long", results)
    assert long.status == status
    assert said in long.detail


def test_a_stream_that_ends_without_saying_so_was_cut() -> None:
    body = b'data: {"choices": [{"delta": {"content": "Paris"}}]}\n\n'
    with _serving(200, body, "text/event-stream") as url:
        results = smoke.run(smoke.Endpoint(url), models=["any"], skip=_all_but("long"), long_seconds=5)
    assert _one("long", results).status == "failed"
    assert "without [DONE]" in _one("long", results).detail


def test_what_takes_longer_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_QUIET_SECONDS", 0.1)
    told: list[str] = []
    with ScriptedUpstream(Answer(delay=0.3)) as upstream:
        smoke.run(smoke.Endpoint(upstream.base_url), skip=_all_but("chat"), progress=told.append)
    assert told == ["it answers [scripted] ... 0 s"]


def test_junit_holds_every_result_and_nothing_that_xml_cannot() -> None:
    results = [
        smoke.Result("health", None, "passed", 0.25, ""),
        smoke.Result("chat", "m<1>", "failed", 1.5, 'no "Paris" & a bell \x07'),
        smoke.Result("long", None, "skipped", 0.0, "not asked for"),
    ]
    root = ElementTree.fromstring(smoke.as_junit(results, {"software": "other & 1"}).encode())  # noqa: S314
    (suite,) = root
    assert not root.attrib  # Ant's schema allows none
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "1.750"}
    datetime.strptime(suite.get("timestamp", ""), "%Y-%m-%dT%H:%M:%S")
    # the order that Ant's schema asks for
    assert [element.tag for element in suite] == ["properties", *["testcase"] * 3, "system-out", "system-err"]
    assert [(p.get("name"), p.get("value")) for p in suite.iter("property")] == [("software", "other & 1")]
    health, chat, long = suite.iter("testcase")
    assert len(health) == 0
    assert (health.get("classname"), health.get("time")) == ("pennyworth.smoke.health", "0.250")
    assert chat.get("name") == "it answers [m<1>]"
    (failure,) = chat
    assert failure.tag == "failure"
    assert failure.get("message") == failure.text == 'no "Paris" & a bell \ufffd'
    (skipped,) = long
    assert (skipped.tag, skipped.get("message")) == ("skipped", "not asked for")


@contextmanager
def _serving(status: int, body: bytes, kind: str = "text/html") -> Iterator[str]:
    """A server that answers everything alike, and ends each answer by hanging up."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def _one(check: str, results: list[smoke.Result]) -> smoke.Result:
    (found,) = (result for result in results if result.check == check)
    return found


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(text=""), "the answer is empty"),
        (Answer(text="It is Berlin."), "does not contain 'Paris'"),
        (Answer(status=429, message="slow down"), "HTTP 429: slow down. Too many calls"),
        (Answer(status=502), "Read the function's log"),
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
        (Answer(fault="buffer"), "responseTransferMode: STREAM"),
        (Answer(fault="cut", after=3), "the stream broke"),
        (Answer(fault="silence", after=3), "the stream broke"),
        (Answer(fault="event", after=2, status=200, message="lost it"), "lost it"),
        (Answer(text="It is Berlin.", pace=0.01), "does not contain 'Paris'"),
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
    monkeypatch.setattr(runner, "_PAUSE_SECONDS", 0.01)
    with ScriptedUpstream() as rude:
        began = time.monotonic()
        results = smoke.run(smoke.Endpoint(rude.base_url), wait=0.2, skip=_all_but("health"), strict=True)
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


def test_the_command_writes_junit_and_says_what_it_left_out(gateway: str, tmp_path: Path) -> None:
    file = tmp_path / "results.xml"
    done = _command(
        gateway, "--junit", str(file), "--skip", "cors", "--skip", "stream", PENNYWORTH_API_KEY=KEY
    )
    assert done.returncode == 0, done.stderr
    properties = {p.get("name"): p.get("value") for p in ElementTree.parse(file).iter("property")}  # noqa: S314
    assert properties["url"] == gateway
    assert properties["software"] == f"pennyworth {__version__}"
    assert done.stderr.splitlines()[-1] == "  9 passed, 3 skipped"
    assert KEY not in file.read_text()
    done = _command(gateway, "--junit", str(tmp_path / "no" / "such"), "--skip", "cors", "--key", KEY)
    assert done.returncode == 2
    assert "can't write" in done.stderr


def test_the_command_says_that_anothers_endpoint_promises_less(upstream: ScriptedUpstream) -> None:
    done = _command(upstream.base_url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("  3 passed, 8 skipped (not a pennyworth gateway")
    assert _command(upstream.base_url, "--strict").returncode == 1


def test_the_command_fails_with_a_table(gateway: str) -> None:
    done = _command(gateway, "--markdown", "--key", KEY, "--expect", "Rome", "--skip", "cors")
    assert done.returncode == 1
    assert "| ✗ | it answers | `first` |" in done.stdout
    assert "| - | web pages may call it |" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere"],
        ["http://127.0.0.1:1/v1", "--skip", "nothing"],
        ["http://127.0.0.1:1/v1", "--long", "-1"],
        [],
    ],
)
def test_a_wrong_call_exits_with_2(words: list[str]) -> None:
    done = _command(*words)
    assert done.returncode == 2
    assert done.stderr


def test_the_module_needs_nothing_but_the_standard_library() -> None:
    bare = [sys.executable, "-S", "-I", "-c"]
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import pennyworth.checks.smoke"
    assert subprocess.run([*bare, code], check=False, timeout=60).returncode == 0
