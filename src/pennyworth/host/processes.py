"""Child processes that never outlive the command that started them.

Each runs behind a small guard in a session of its own, and the guard ends the program and all that it
started when the guard's standard input closes. The kernel closes it whatever happens to the parent: return,
error, closed terminal or SIGKILL.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.02
_PR_SET_CHILD_SUBREAPER = 36
_NOT_FOUND = 127  # as the shell has it


class Child:
    """A running program and everything that it started."""

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
            command: program and arguments.
            log: the file that takes its output.
            env: its whole environment; this process's by default.
            cwd: its working folder.
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
        """Whether the program still runs."""
        return self._guard.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the program has ended, and what it left behind with it.

        Args:
            timeout: how long at most, in seconds; for ever by default.
        Returns:
            its exit status as a shell gives it: 128 + N where signal N ended it, 127 where it could not be
            started.
        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return self._guard.wait(timeout)

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End it and all that it started, and wait until they are gone."""
        if self._guard.stdin:
            self._guard.stdin.close()
        self._guard.wait()  # bounded: the guard kills what does not end

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def raise_on_signals() -> None:
    """Let SIGTERM and a closed terminal unwind this process as Ctrl-C does, so that every `with` is left."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _guard(command: list[str]) -> int:
    """Run a command until it ends or standard input closes, then end what it left behind."""
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

    # Whoever signals the guard means the program; ending the guard first would leave it alone
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: program.terminate())
    threading.Thread(target=watch, daemon=True).start()
    code = program.wait()
    _end_group(program.pid, meanwhile=_reap)
    _end_orphans()
    return code if code >= 0 else 128 - code


def _end_group(group: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Ask every process of a group to end, and kill those that have not within the grace period.

    Args:
        group: its number.
        meanwhile: called while waiting.
    """
    deadline = time.monotonic() + _GRACE_SECONDS
    # macOS answers EPERM for a group that holds nothing but a process not yet reaped
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            meanwhile()
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


def _adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that those which left the group are found too.

    Linux alone has this: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    """
    if sys.platform == "linux":
        import ctypes  # only here: it takes longer to import than the rest of the guard

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    """End adopted processes as a group is ended. Ending one may bring its children here."""
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
    """Take leave of children that have ended; whether any are left."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def _children() -> set[int]:
    """Process ids of this process's children; nothing where the kernel does not list them."""
    with suppress(OSError):
        tasks = Path("/proc/self/task").iterdir()
        return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
    return set()


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))
