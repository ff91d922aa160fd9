"""Child processes that never outlive the command that started them.

Each runs in a session of its own behind a small guard, which ends the whole group when its standard input closes. The
kernel closes it whatever happens to the parent: return, error, closed terminal or SIGKILL.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0


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
                [sys.executable, "-S", "-E", str(Path(__file__)), *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(env or os.environ),
                cwd=cwd,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Whether the program still runs."""
        return self._guard.poll() is None

    def tail(self, lines: int = 20) -> str:
        """The last lines of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End it and all that it started, and wait until they are gone."""
        if self._guard.stdin:
            self._guard.stdin.close()
        try:
            self._guard.wait(_GRACE_SECONDS + 2)
        except subprocess.TimeoutExpired:
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()

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
    """Run a command until it ends or standard input closes, then end its whole group."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603

    def watch() -> None:
        while os.read(0, 4096):
            pass
        program.terminate()
        try:
            program.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()

    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which closes standard input
    code = program.wait()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)  # what the program left behind
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))
