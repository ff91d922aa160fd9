"""A gateway for each kind of upstream, and all the cases that were asked for, played beside each other."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import KEY, RunningGateway
from tests.gateway.oddities.caller import Heard, ask, faults, strangers
from tests.gateway.oddities.due import Speaks
from tests.gateway.oddities.stage import Scene, Stage, new_mark
from tests.gateway.oddities.table import DEADLINE_SECONDS, Oddity
from tests.gateway.providers.wires import Anthropic, OpenAI

_SIDE_BY_SIDE = 14
_HUNG_BEFORE_GIVING_UP = 10
_LATER_SECONDS = 0.4
_PATIENT_SECONDS = 20.0


@dataclass(frozen=True)
class Upstream:
    """A kind of upstream and how a configuration reaches it."""

    wire: Speaks
    params: Mapping[str, Any]
    """`litellm_params`; `{url}` stands for the stage's address."""
    loads_litellm: bool = True


UPSTREAMS = {
    "direct": Upstream(
        OpenAI(),
        {"model": "openai/real-name", "api_base": "{url}/v1", "api_key": "sk-0123456789"},
        loads_litellm=False,
    ),
    "azure": Upstream(
        OpenAI(),
        {
            "model": "azure/my-deployment",
            "api_base": "{url}",
            "api_key": "az-0123456789",
            "api_version": "2024-10-21",
        },
    ),
    "anthropic": Upstream(
        Anthropic(),
        {"model": "anthropic/claude-sonnet-4-5", "api_base": "{url}", "api_key": "sk-ant-0123456789"},
    ),
}


@dataclass(frozen=True)
class Case:
    """An oddity, played by a kind of upstream to a caller who listens or hangs up."""

    upstream: str
    oddity: Oddity
    streamed: bool
    hangs_up: bool = False

    def __str__(self) -> str:
        form = "streamed" if self.streamed else "whole"
        return f"{self.oddity}-{self.upstream}-{form}{'-hung-up' if self.hangs_up else ''}"


Played = Callable[[Case], list[str]]


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The faults that a case has shown; all cases of this run have begun with the first that is asked for."""
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    cases = [case for spec in specs if spec and isinstance(case := spec.params.get("case"), Case)]
    futures: dict[Case, Future[list[str]]] = {case: Future() for case in cases}
    with ExitStack() as stack:
        for name, upstream in UPSTREAMS.items():
            mine = {case: future for case, future in futures.items() if case.upstream == name}
            if mine:
                stack.enter_context(_Theatre(upstream, mine, tmp_path_factory.mktemp(name)))
        yield lambda case: futures[case].result(280)


class _Theatre:
    """A gateway before some stages, on which an upstream's cases are played as stages become free."""

    def __init__(self, upstream: Upstream, cases: Mapping[Case, Future[list[str]]], folder: Path) -> None:
        self._upstream = upstream
        self._folder = folder
        self._cases: queue.SimpleQueue[tuple[Case, Future[list[str]]]] = queue.SimpleQueue()
        for item in cases.items():
            self._cases.put(item)
        self._count = len(cases)
        self._hung = 0
        self._stopping = threading.Event()
        self._runner = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._runner.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._runner.join(60)

    def _run(self) -> None:
        with ExitStack() as stack:
            try:
                stages = [stack.enter_context(Stage()) for _ in range(min(_SIDE_BY_SIDE, self._count))]
                models = [
                    {
                        "model_name": f"{name}-{number}",
                        "litellm_params": self._params(stage, seconds),
                        "model_info": {"lane": "litellm" if self._upstream.loads_litellm else "direct"},
                    }
                    for name, seconds in {"patient": _PATIENT_SECONDS, "hasty": DEADLINE_SECONDS}.items()
                    for number, stage in enumerate(stages)
                ]
                gateway = RunningGateway(
                    {"model_list": models}, {"LITELLM_API_KEYS": KEY}, None, self._folder
                )
                stack.callback(gateway.stop)
                if self._upstream.loads_litellm:
                    gateway.logged(lambda line: line.get("message") == "litellm loaded", seconds=90)
            except BaseException as error:
                while not self._cases.empty():
                    self._cases.get()[1].set_exception(error)
                return
            players = [
                threading.Thread(target=self._play_all, args=(gateway, number, stage), daemon=True)
                for number, stage in enumerate(stages)
            ]
            for player in players:
                player.start()
            for player in players:
                player.join()

    def _params(self, stage: Stage, seconds: float) -> dict[str, Any]:
        params = {name: value.replace("{url}", stage.url) for name, value in self._upstream.params.items()}
        return {**params, "timeout": seconds}

    def _play_all(self, gateway: RunningGateway, number: int, stage: Stage) -> None:
        while not self._stopping.is_set():
            try:
                case, future = self._cases.get_nowait()
            except queue.Empty:
                return
            if self._hung >= _HUNG_BEFORE_GIVING_UP:
                future.set_result(["not tried: this gateway has left too many callers without an answer"])
                continue
            try:
                future.set_result(self._play(case, gateway.address, number, stage))
            except BaseException as error:
                future.set_exception(error)

    def _play(self, case: Case, address: str, number: int, stage: Stage) -> list[str]:
        oddity = case.oddity
        scene = Scene(oddity, self._upstream.wire, case.streamed, new_mark())
        stage.begin(scene)

        def next_one() -> Heard:
            return ask(address, f"patient-{number}", new_mark(), case.streamed)

        hangs_up = oddity.hangs_up if case.hangs_up else None
        first = ask(
            address,
            # a deadline is one more way to fail
            f"{'patient' if oddity.legal else 'hasty'}-{number}",
            scene.mark,
            case.streamed,
            hangs_up=hangs_up,
            begun=scene.begun,
            padding=oddity.padding,
        )
        if oddity.late:
            scene.settle()
        others = [next_one()]
        time.sleep(_LATER_SECONDS)
        # at the same time, so that they take every connection that was kept
        others += _at_once(next_one, next_one)
        stage.clear()

        found = strangers(first) if case.hangs_up else faults(first, may_fail=not oddity.legal)
        found = [f"the first caller: {fault}" for fault in found]
        for place, heard in enumerate(others, 2):
            found += [f"caller {place}: {fault}" for fault in faults(heard, may_fail=False)]
        self._hung += sum(not heard.status for heard in (*others, *([] if case.hangs_up else [first])))
        if not scene.begun.is_set():
            found.append("the upstream was never asked")
        return found


def _at_once(*calls: Callable[[], Heard]) -> list[Heard]:
    futures: list[Future[Heard]] = [Future() for _ in calls]

    def run(call: Callable[[], Heard], future: Future[Heard]) -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    for call, future in zip(calls, futures, strict=True):
        threading.Thread(target=run, args=(call, future), daemon=True).start()
    return [future.result(60) for future in futures]
