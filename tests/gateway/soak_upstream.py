"""A provider for many callers at a time, in a process of its own: each question says how it is to be answered.

    python -m tests.gateway.soak_upstream LANE

It prints its port, serves until its standard input ends, and prints how many connections it was given.
"""

import asyncio
import json
import re
import sys
from typing import Any

from tests.gateway.oddities.due import Due, chunk
from tests.gateway.oddities.table import EARLY_HINTS
from tests.gateway.providers.wires import Answer, Anthropic, BedrockConverse, Cohere, Gemini, OpenAI, Wire

WIRES: dict[str, Wire] = {
    "direct": OpenAI(),
    "azure": OpenAI(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "bedrock": BedrockConverse(),
    "cohere": Cohere(),
}
STALL_SECONDS = 1.0

_ASKED = re.compile(rb"(mark-[0-9a-f]{10}) as ([a-z-]+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


async def _serve(wire: Wire) -> None:
    connections = 0

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while await _exchange(wire, reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0, limit=1024 * 1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    print(connections, flush=True)


async def _exchange(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer a request; whether another one may follow."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    request: dict[str, Any] = json.loads(body)
    path = head.split(b" ", 2)[1].decode()
    asked = _ASKED.search(body)
    assert asked, body[:200]
    due, manner = Due(asked[1].decode(), wire, wire.streamed(path, request)), asked[2].decode()
    answer = due.usual()
    if manner.startswith("error"):
        status = {"error-busy": 429, "error-broken": 500}[manner]
        _, content = wire.error(Answer(status=status, message=f"{due.mark} is refused"))
        writer.write(
            b"HTTP/1.1 %d Odd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(content), content)
        )
    elif manner == "hints":
        writer.write(EARLY_HINTS)
        await asyncio.sleep(0.02)
        writer.write(answer)
    elif manner == "trailing":
        writer.write(answer + due.mark.encode())
    elif manner in ("cut", "stalled", "slow"):
        half = max(1, len(due.pieces) // 2)
        writer.write(due.head("Transfer-Encoding: chunked") + b"".join(map(chunk, due.pieces[:half])))
        await writer.drain()
        if manner == "cut":
            return False
        await asyncio.sleep(STALL_SECONDS if manner == "stalled" else 0.1)
        writer.write(b"".join(map(chunk, due.pieces[half:])) + b"0\r\n\r\n")
    else:
        writer.write(answer)
    await writer.drain()
    return True


if __name__ == "__main__":
    asyncio.run(_serve(WIRES[sys.argv[1]]))
