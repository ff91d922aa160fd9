"""The processes of one execution environment, ended together. Run as a program, by an interpreter without site.

Starts the commands that it is given as JSON, `[[name, [program, argument, ...]], ...]`, with its own environment and
standard output. When the first of them ends, or standard input closes (the kernel sees to that, however the parent
ended), everything in this process group is killed, as Lambda ends an environment. Which command ended and how is told
on standard error, as JSON: `[name, status]`, with the exit status, negative for a signal.
"""

import json
import os
import signal
import subprocess
import sys
import threading


def main(commands: list[tuple[str, list[str]]]) -> None:
    """Run the commands until one ends or standard input closes."""

    def until_abandoned() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=until_abandoned, daemon=True).start()
    running: dict[int, str] = {}
    for name, command in commands:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            running[process.pid] = name
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", flush=True)
            _end(name, 126)
    while True:
        pid, status = os.wait()
        if pid in running:
            _end(running[pid], os.waitstatus_to_exitcode(status))


def _end(name: str, status: int) -> None:
    print(json.dumps([name, status]), file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
