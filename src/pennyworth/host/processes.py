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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0
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
    """Run a command until it ends or standard input closes, then end what is left of its process group."""
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND

    def watch() -> None:
        while os.read(0, 4096):
            pass
        _end_group(program.pid)

    # whoever signals the guard means the program; ending the guard first would leave it alone
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: program.terminate())
    threading.Thread(target=watch, daemon=True).start()
    code = program.wait()
    _end_group(program.pid)
    return code if code >= 0 else 128 - code


def _end_group(group: int) -> None:
    """Ask every process of a group to end, and kill those that have not within the grace period."""
    deadline = time.monotonic() + _GRACE_SECONDS
    # macOS answers EPERM for a group that holds nothing but a process not yet reaped
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.02)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))
