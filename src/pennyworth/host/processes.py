"""Child processes that never outlive the command that started them.

Each runs under a small guard process in a session of its own. When the guard's standard input closes, it ends
the program and everything the program started. The kernel closes it however the parent ends: return, error,
closed terminal or SIGKILL.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.02
_READ_SECONDS = 0.1
_CLEANUP_SECONDS = 15.0
"""More than the guards take to end what does not end by itself."""
_PR_SET_CHILD_SUBREAPER = 36
_NOT_FOUND = 127  # as in shells


class Child:
    """A running program and everything it started."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start a program.

        Args:
            command: the program and its arguments.
            log: the file to write its output to.
            env: all of its environment variables. None: those of this process.
            cwd: its working directory. None: that of this process.
        """
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as sink:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Return whether the program is still running."""
        return self._guard.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the program and everything it started have ended.

        Args:
            timeout: the maximum number of seconds to wait. None: no limit.
        Returns:
            its exit status as in a shell: 128 + N if signal N ended it, 127 if it could not be started.
        Raises:
            subprocess.TimeoutExpired: it is still running.
        """
        return self._guard.wait(timeout)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def lines(self) -> Iterator[str]:
        """Yield its output line by line as it comes, until it has ended."""
        with self.log.open(encoding="utf-8", errors="replace") as log:
            rest = ""
            while True:
                over = not self.running()  # checked before the last read, so that no output is missed
                *lines, rest = (rest + log.read()).split("\n")
                yield from lines
                if over:
                    return
                time.sleep(_READ_SECONDS)

    def stop(self) -> None:
        """End the program and everything it started, and wait until they have ended."""
        if self._guard.stdin:
            self._guard.stdin.close()
        self._guard.wait()  # returns soon: the guard kills processes that do not end

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def raise_on_signals(notice: str = "") -> None:
    """Make SIGTERM and a closed terminal act like Ctrl-C, so that every `with` block exits.

    Args:
        notice: a line to print at once, on Ctrl-C too. Further signals are then ignored for a while, because they
            would only interrupt the clean-up.
    """
    numbers = [signal.SIGTERM, signal.SIGHUP, *([signal.SIGINT] if notice else [])]
    stopping_since = 0.0

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping_since
        if notice:
            if stopping_since and time.monotonic() - stopping_since < _CLEANUP_SECONDS:
                return
            stopping_since = time.monotonic()
            with suppress(OSError):  # the terminal may be closed
                os.write(2, f"\n{notice}\n".encode())  # print() may be what the signal interrupts
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in numbers:
        signal.signal(number, interrupt)


def _guard(command: list[str]) -> int:
    """Run a command until it ends or standard input closes. Then end the processes it left behind."""
    _adopt_orphans()
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND

    def watch() -> None:
        while os.read(0, 4096):
            pass
        _end_group(program.pid)

    # pass signals on to the program: if the guard ended first, nobody would end the program
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: program.terminate())
    threading.Thread(target=watch, daemon=True).start()
    code = program.wait()
    _end_group(program.pid, meanwhile=_reap)
    _end_orphans()
    return code if code >= 0 else 128 - code


def _end_group(group: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Send SIGTERM to a process group, and SIGKILL if it has not ended after the grace period.

    Args:
        group: the process group's ID.
        meanwhile: called repeatedly while waiting.
    """
    deadline = time.monotonic() + _GRACE_SECONDS
    # macOS returns EPERM for a group with only a zombie process
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            meanwhile()
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants, to find those that left the process group.

    Linux alone has this: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    """
    if sys.platform == "linux":
        import ctypes  # here, because importing it takes longer than the rest of the guard

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    """End the adopted processes: SIGTERM, later SIGKILL. Ending one may make its children orphans too."""
    began = time.monotonic()
    asked: set[int] = set()
    while _reap() and time.monotonic() < began + 2 * _GRACE_SECONDS:
        late = time.monotonic() > began + _GRACE_SECONDS
        for orphan in _children() - (set() if late else asked):
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL if late else signal.SIGTERM)
            asked.add(orphan)
        time.sleep(_POLL_SECONDS)


def _reap() -> bool:
    """Reap children that have ended. Returns whether any are left."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def _children() -> set[int]:
    """Return the process IDs of this process's children; empty if the kernel does not list them."""
    with suppress(OSError):
        tasks = Path("/proc/self/task").iterdir()
        return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
    return set()


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))
