"""Resets the account, or restores a saved state of it, in milliseconds. Starting a new emulator takes seconds.

`POST /_ministack/reset` deletes everything. `POST /_pennyworth/keep?name=NAME` saves the current state, and
`POST /_pennyworth/restore?name=NAME` restores it, any number of times. Saving waits for CloudFormation's
running operations, and until every function is ready; restoring cancels the operations.
"""

import asyncio
import copy
import inspect
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from ministack import app
from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict
from ministack.services import apigateway_v1, lambda_svc, sts

from pennyworth.local.aws.functions import Functions

Answer = tuple[int, dict[str, str], bytes]
Store = dict[Any, Any]

RESET, KEEP, RESTORE = "/_ministack/reset", "/_pennyworth/keep", "/_pennyworth/restore"
_PACKAGES = ("ministack.", "pennyworth.local.aws.")
_CLOUDFORMATION = "ministack.services.cloudformation"
# what is state without being a store of an account's; MiniStack's reset leaves the second and the third alone
_PLAIN = ((sts, "_sessions"), (apigateway_v1, "_throttle_state"), (apigateway_v1, "_quota_state"))
_CHANGING = (("State", "Pending"), ("LastUpdateStatus", "InProgress"))
_LIMIT_SECONDS = 60.0
_POLL_SECONDS = 0.02
_ENDING_SECONDS = 0.2


class States:
    """The saved states by name."""

    def __init__(self, functions: Functions) -> None:
        """
        Args:
            functions: the functions whose environments end on a reset or restore.
        """
        self._functions = functions
        self._kept: dict[str, dict[tuple[str, str], Store]] = {}

    def handled(
        self, original: Callable[..., Awaitable[Answer | None]], bound: inspect.BoundArguments
    ) -> Awaitable[Answer | None]:
        """Wrap MiniStack's reset."""
        given = bound.arguments
        name = given["query_params"].get("name", [""])[0]
        if given["method"] == "POST" and given["path"] == RESET:
            return self._reset(original(*bound.args, **bound.kwargs))
        if given["method"] == "POST" and given["path"] == KEEP:
            return self._keep(name)
        if given["method"] == "POST" and given["path"] == RESTORE:
            return self._restore(name)
        return original(*bound.args, **bound.kwargs)

    async def _reset(self, original: Awaitable[Answer | None]) -> Answer | None:
        async with _dropped_operations():
            answer = await original
            await asyncio.to_thread(self._forget)
        return answer

    async def _keep(self, name: str) -> Answer:
        if running := _operations():
            await asyncio.wait(running, timeout=_LIMIT_SECONDS)
        await _functions_ready()
        async with app._get_reset_lock():
            self._kept[name] = {place: copy.deepcopy(store) for place, store in _stores()}
        return _answer(200, f"kept as {name}")

    async def _restore(self, name: str) -> Answer:
        if name not in self._kept:
            return _answer(404, f"there is no saved state named {name}")
        async with _dropped_operations(), app._get_reset_lock():
            await asyncio.to_thread(app._reset_all_state)
            await asyncio.to_thread(self._forget)
        async with app._get_reset_lock():
            for place, store in _stores():
                if (kept := self._kept[name].get(place)) is not None:
                    store.clear()
                    store.update(copy.deepcopy(kept))
        return _answer(200, f"restored {name}")

    def _forget(self) -> None:
        """Reset what MiniStack's own reset leaves."""
        self._functions.clear()
        for (module, _), store in _stores():
            if module.startswith("pennyworth."):
                store.clear()
        for module, name in _PLAIN:
            getattr(module, name).clear()


def _stores() -> Iterator[tuple[tuple[str, str], Store]]:
    """Return every state store in this process by module and name, each store once."""
    seen: set[int] = set()
    for module in [name for name in sys.modules if name.startswith(_PACKAGES)]:
        for name, value in list(vars(sys.modules[module]).items()):
            if isinstance(value, (AccountScopedDict, AccountRegionScopedDict)) and id(value) not in seen:
                seen.add(id(value))
                yield (module, name), value._data
    for module, name in _PLAIN:
        yield (module.__name__, name), getattr(module, name)


async def _functions_ready() -> None:
    """Wait until no function is being created or updated. A thread changes its state, which nothing would restore."""
    until = _now() + _LIMIT_SECONDS
    while _functions_change() and _now() < until:
        await asyncio.sleep(_POLL_SECONDS)


def _functions_change() -> bool:
    return any(
        version.get("config", {}).get(name) == value
        for function in list(lambda_svc._functions._data.values())
        for version in (function, *list(function.get("versions", {}).values()))
        for name, value in _CHANGING
    )


def _operations() -> list[asyncio.Task[Any]]:
    """Return CloudFormation's running operations."""
    found = []
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        if frame and frame.f_globals.get("__name__", "").startswith(_CLOUDFORMATION):
            found.append(task)
    return found


@asynccontextmanager
async def _dropped_operations() -> AsyncIterator[None]:
    """Cancel CloudFormation's running operations during a reset, and delete what they created meanwhile."""
    running = _operations()
    for task in running:
        task.cancel()
    yield
    ending, until = set(running), _now() + _LIMIT_SECONDS
    while ending and _now() < until:
        _, ending = await asyncio.wait(ending, timeout=_ENDING_SECONDS)
        # also wakes what began to wait for a signal only after the reset before
        await asyncio.to_thread(app._reset_all_state)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _answer(status: int, said: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": said}).encode()
