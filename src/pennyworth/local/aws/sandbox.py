"""Runs the processes of an execution environment, and ends them together.

Runs as a program, by an interpreter without site. Starts the commands that it gets as JSON,
`[[name, [program, argument, ...]], ...]`, with its own environment and standard output. When the first of them
ends, or standard input closes, it kills everything they started, as Lambda does. The kernel closes standard
input however the parent ends. Standard error then gets a line of JSON, `[name, status]`: the command that ended
and its exit status, which is negative for a signal.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


class Sandbox:
    """A process group whose processes end together."""

    def __init__(self) -> None:
        """Create an empty group."""
        self._processes: dict[int, str] = {}
        self._group = 0  # the first process creates the group, the others join it

    def start(self, name: str, command: list[str]) -> None:
        """Start a process in the group. If it can't start, end the group."""
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, process_group=self._group
            )
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", flush=True)
            self.end(name, 126)
        self._group = self._group or process.pid
        self._processes[process.pid] = name

    def wait(self) -> None:
        """Wait until one process ends, then end all of them."""
        pid, status = os.wait()
        self.end(self._processes.pop(pid), os.waitstatus_to_exitcode(status))

    def end(self, name: str, status: int) -> None:
        """Kill all processes, report why, and exit."""
        if self._group:
            with suppress(OSError):
                os.killpg(self._group, signal.SIGKILL)
        for pid in self._processes:
            with suppress(OSError):  # the other thread may have waited for it
                os.waitpid(pid, 0)
        with suppress(OSError):  # the parent may be gone
            print(json.dumps([name, status]), file=sys.stderr, flush=True)
        os._exit(0)

    def end_when_abandoned(self) -> None:
        """End all processes once standard input closes."""
        while os.read(0, 4096):
            pass
        self.end("environment", -signal.SIGKILL)


def main(commands: list[tuple[str, list[str]]]) -> None:
    """Run the commands until one ends or standard input closes."""
    sandbox = Sandbox()
    for name, command in commands:
        sandbox.start(name, command)
    threading.Thread(target=sandbox.end_when_abandoned, daemon=True).start()
    sandbox.wait()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
