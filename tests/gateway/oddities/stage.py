"""An upstream on a raw socket: plays an oddity for one caller, and answers all the others normally."""

import re
import secrets
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from tests.gateway.oddities.due import Due, Speaks
from tests.gateway.oddities.table import End, Oddity, Step

_MARK = re.compile(rb"mark-[0-9a-f]{10}")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATIENCE_SECONDS = 20.0
_SMALL_BUFFER_BYTES = 64 * 1024
_LONGEST_ANSWER_SECONDS = 5.0
_ARRIVING_SECONDS = 0.1
_NORMAL_SECONDS = 0.03
"""What a normal answer takes, so that two at a time need two connections."""


def new_mark() -> str:
    """What tells a caller and all that is meant for it."""
    return f"mark-{secrets.token_hex(5)}"


def marks_in(content: bytes) -> set[str]:
    """Whose answers there are in it."""
    return {mark.decode() for mark in _MARK.findall(content)}


class _Ended(Exception):
    """The connection is of no use any more."""


class Scene:
    """One oddity, played once: for the request with the mark, or for the first connection."""

    def __init__(self, oddity: Oddity, wire: Speaks, streamed: bool, mark: str) -> None:
        self.oddity = oddity
        self.wire = wire
        self.streamed = streamed
        self.mark = mark
        self.begun = threading.Event()
        """Set when the oddity is played."""
        self._busy = 0
        self._lock = threading.Lock()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """What is done within belongs to an answer."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def settle(self) -> None:
        """Wait until no answer is under way, and what was sent last has arrived."""
        until = time.monotonic() + _LONGEST_ANSWER_SECONDS
        while self._busy and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(_ARRIVING_SECONDS)

    def steps(self, when: str, mark: str | None) -> Iterable[Step]:
        """What is to be played now, if anything is."""
        with self._lock:
            if self.begun.is_set() or self.oddity.when != when or mark not in (None, self.mark):
                return ()
            self.begun.set()
        return self.oddity.play(Due(self.mark, self.wire, self.streamed))


class Stage:
    """A listening socket on which one scene after another is played."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        # before listen, so that a large request is still being sent while it is answered
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._scene: Scene | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stop, self._stopped = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "Stage":
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._accepting.join(5)
        self.clear()
        self._listener.close()
        self._stopped.close()

    def begin(self, scene: Scene) -> None:
        """Play a scene from now on, on new connections."""
        self.clear()
        self._scene = scene

    def clear(self) -> None:
        """Close all connections, so that nothing of a scene reaches into the next."""
        with self._lock:
            for connection in self._open:
                _shut(connection)
            self._open.clear()
            self._scene = None

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while all(key.fileobj is self._listener for key, _ in selector.select()):
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    continue
                connection.setblocking(True)
                connection.settimeout(_PATIENCE_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    scene = self._scene
                    if scene is None:
                        connection.close()
                        continue
                    self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection, scene), daemon=True).start()

    def _serve(self, connection: socket.socket, scene: Scene) -> None:
        try:
            _Conversation(connection, scene).run()
        except (OSError, _Ended):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


class _Conversation:
    """One connection, request after request."""

    def __init__(self, connection: socket.socket, scene: Scene) -> None:
        self._connection = connection
        self._scene = scene
        self._buffer = b""

    def run(self) -> None:
        """Answer until the other side closes."""
        with self._scene.at_work():
            early = self._perform(self._scene.steps("accept", None))
        owes = not (early and self._scene.oddity.swallows)
        while True:
            length = self._read_head()
            with self._scene.at_work():
                self._answer(length, owes)
            owes = True

    def _answer(self, length: int, owes: bool) -> None:
        answered = self._perform(self._scene.steps("head", None))
        body = self._read(length)
        if answered or not owes:
            return
        found = _MARK.search(body)
        if not found:
            self._connection.sendall(b"HTTP/1.1 400 No mark\r\nContent-Length: 0\r\n\r\n")
            raise _Ended
        mark = found[0].decode()
        if not self._perform(self._scene.steps("request", mark)):
            time.sleep(_NORMAL_SECONDS)
            self._connection.sendall(Due(mark, self._scene.wire, self._scene.streamed).usual())

    def _perform(self, steps: Iterable[Step]) -> bool:
        anything = False
        for step in steps:
            anything = True
            if isinstance(step, bytes):
                self._connection.sendall(step)
            elif isinstance(step, float):
                time.sleep(step)
            else:
                if step is End.RESET:
                    self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise _Ended
        return anything

    def _read_head(self) -> int:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._receive()
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        length = _LENGTH.search(head)
        return int(length[1]) if length else 0

    def _read(self, length: int) -> bytes:
        pieces, missing = [self._buffer[:length]], length - len(self._buffer)
        self._buffer = self._buffer[length:]
        while missing > 0:
            data = self._connection.recv(min(missing, 256 * 1024))
            if not data:
                raise _Ended
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def _receive(self) -> None:
        data = self._connection.recv(64 * 1024)
        if not data:
            raise _Ended
        self._buffer += data


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
