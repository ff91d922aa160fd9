"""A function's streamed response, on its way through API Gateway to the client.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from pennyworth.local.aws.runtime_api import FunctionError

logger = logging.getLogger("pennyworth.local.aws")

DELIMITER = b"\0" * 8
"""What separates a streamed response's metadata from its body."""
MAX_METADATA_BYTES = 16 * 1024
IDLE_SECONDS = 300.0
"""A streamed response that is silent for this long is cut, on regional APIs."""
HOP_BY_HOP = frozenset({"transfer-encoding", "content-length", "keep-alive"})
REMAPPED = frozenset({"connection", "date", "server", "www-authenticate"})
"""Response headers that a REST API passes on as x-amzn-remapped-NAME."""


class ClientGone(Exception):
    """The client has hung up."""


class Channel:
    """Carries a response from a function's thread to the event loop, and holds the function back when it is full."""

    CAPACITY = 64

    def __init__(self) -> None:
        """Make it on the event loop that reads from it."""
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(self.CAPACITY)
        self._closed = False

    def put(self, item: bytes | Exception | None) -> None:
        """From a thread: pass on a chunk, the end (None) or the error that ended it."""
        self._room.acquire()
        if self._closed:
            self._room.release()
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    async def get(self) -> bytes | None:
        """The next chunk; None at the end.

        Raises:
            FunctionError: the response broke off.
            ClientGone: whoever reads it has hung up.
        """
        item = await self._queue.get()
        self._room.release()
        if isinstance(item, Exception):
            raise item
        return item

    async def watch(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Let get() raise ClientGone once the ASGI server has told so."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._queue.put_nowait(ClientGone("the client has hung up"))

    def close(self) -> None:
        """Nobody listens any more: the function runs on, as on Lambda, and what it says is dropped."""
        self._closed = True
        self._room.release()


async def metadata(channel: Channel) -> tuple[int, dict[str, Any], bytes]:
    """Read a response's metadata, as API Gateway understands it.

    Returns:
        status; headers, those that may repeat as lists; what has come of the body.
    Raises:
        FunctionError: the function failed first.
        ValueError: there is no proper metadata, which API Gateway answers with 502.
    """
    head = b""
    while DELIMITER not in head:
        chunk = await channel.get()
        if chunk is None or len(head) > MAX_METADATA_BYTES:
            raise ValueError("no metadata and delimiter at the start of the response")
        head += chunk
    told, _, rest = head.partition(DELIMITER)
    given = json.loads(told)
    if not isinstance(given, dict):
        raise ValueError("the metadata is no object")
    headers: dict[str, Any] = {}
    for name, value in (given.get("headers") or {}).items():
        if not isinstance(value, str):
            raise ValueError(f"the header {name} has several values, which API Gateway does not take")
        headers[name] = value
    headers |= {name: list(values) for name, values in (given.get("multiValueHeaders") or {}).items()}
    if cookies := given.get("cookies"):
        headers["set-cookie"] = list(cookies)
    passed = {
        f"x-amzn-remapped-{name.lower()}" if name.lower() in REMAPPED else name: value
        for name, value in headers.items()
        if name.lower() not in HOP_BY_HOP
    }
    return int(given.get("statusCode", 200)), passed, rest


def sender(channel: Channel, first: bytes) -> Callable[..., Awaitable[None]]:
    """What sends a body on as it comes: an async function of ASGI's `send` and `receive`.

    Args:
        channel: where the body comes from.
        first: what of it has come with the metadata.
    """

    async def send_body(
        send: Callable[[dict[str, Any]], Awaitable[None]], receive: Callable[[], Any]
    ) -> None:
        watch = asyncio.ensure_future(channel.watch(receive))
        chunk: bytes | None = first
        try:
            while chunk is not None:
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                async with asyncio.timeout(IDLE_SECONDS):
                    chunk = await channel.get()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (FunctionError, TimeoutError, ClientGone) as error:
            # the last frame stays unsent, so that the client sees a response that broke off
            logger.warning("a streamed response ended early: %s", error or type(error).__name__)
        finally:
            watch.cancel()
            channel.close()

    return send_body
