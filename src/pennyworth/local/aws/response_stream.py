"""Passes a function's streamed response through API Gateway to the client.

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
"""The delimiter between a streamed response's metadata and its body."""
MAX_METADATA_BYTES = 16 * 1024
IDLE_SECONDS = 300.0
"""The idle timeout of a streamed response, on regional APIs."""
HOP_BY_HOP = frozenset({"transfer-encoding", "content-length", "keep-alive"})
REMAPPED = frozenset({"connection", "date", "server", "www-authenticate"})
"""Response headers that a REST API renames to x-amzn-remapped-NAME."""


class ClientGone(Exception):
    """The client has closed the connection."""


class Channel:
    """Carries a response from a function's thread to the event loop. Blocks the function while it is full."""

    CAPACITY = 64

    def __init__(self) -> None:
        """Create it on the event loop that reads from it."""
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(self.CAPACITY)
        self._closed = False

    def put(self, item: bytes | Exception | None) -> None:
        """Pass on a chunk, the end (None) or the error that ended the response. Called from a thread."""
        self._room.acquire()
        if self._closed:
            self._room.release()
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    async def get(self) -> bytes | None:
        """Return the next chunk; None at the end.

        Raises:
            FunctionError: the response broke off.
            ClientGone: the client has closed the connection.
        """
        item = await self._queue.get()
        self._room.release()
        if isinstance(item, Exception):
            raise item
        return item

    async def watch(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Make get() raise ClientGone once the ASGI server reports it."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._queue.put_nowait(ClientGone("the client has closed the connection"))

    def close(self) -> None:
        """Drop the rest of the response. As on Lambda, the function continues to run."""
        self._closed = True
        self._room.release()


async def metadata(channel: Channel) -> tuple[int, dict[str, Any], bytes]:
    """Read a response's metadata, as API Gateway does.

    Returns:
        the status, the headers (repeatable ones as lists), and the part of the body that has arrived.
    Raises:
        FunctionError: the function failed first.
        ValueError: the metadata is invalid. API Gateway answers 502.
    """
    head = b""
    while DELIMITER not in head:
        chunk = await channel.get()
        if chunk is None or len(head) > MAX_METADATA_BYTES:
            raise ValueError("the response does not start with metadata and a delimiter")
        head += chunk
    told, _, rest = head.partition(DELIMITER)
    given = json.loads(told)
    if not isinstance(given, dict):
        raise ValueError("the metadata is not a JSON object")
    headers: dict[str, Any] = {}
    for name, value in (given.get("headers") or {}).items():
        if not isinstance(value, str):
            raise ValueError(f"the header {name} has several values, which API Gateway does not accept")
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
    """Return an ASGI function of `send` and `receive` that sends a body as it arrives.

    Args:
        channel: where the body comes from.
        first: the part of the body that arrived with the metadata.
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
            # don't send the last frame, so that the client notices that the response broke off
            logger.warning("a streamed response ended early: %s", error or type(error).__name__)
        finally:
            watch.cancel()
            channel.close()

    return send_body
