"""Children end with their parent, whatever happens to it, and take their own children along."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pennyworth.host.processes import Child

# Writes its process id, then outlives every polite request.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(f"{os.getpid()}\\n")
time.sleep(300)
"""

PARENT = """
import sys, time
from pathlib import Path
from pennyworth.host.processes import Child
with Child([sys.executable, "-c", "import time; time.sleep(300)"], log=Path(sys.argv[1], "log")) as child:
    print(child._guard.pid, flush=True)
    time.sleep(300)
"""


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a dead one that nobody has waited for yet is as good as gone
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return not status.stdout.strip().startswith("Z")


def python(*words: str) -> list[str]:
    return [sys.executable, "-c", *words]


@pytest.mark.parametrize(
    ("program", "status"),
    [
        (python("raise SystemExit(0)"), 0),
        (python("raise SystemExit(7)"), 7),
        (python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), 128 + signal.SIGKILL),
        (["no-such-program-anywhere"], 127),
    ],
    ids=["success", "failure", "killed", "missing"],
)
def test_exit_status_is_the_shells(tmp_path: Path, program: list[str], status: int) -> None:
    with Child(program, log=tmp_path / "log") as child:
        assert child.wait(20) == status
        assert not child.running()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Child(["no-such-program-anywhere"], log=tmp_path / "log") as child:
        child.wait(20)
    assert child.tail() == "no-such-program-anywhere: No such file or directory"


def test_output_environment_and_folder(tmp_path: Path) -> None:
    program = python(
        "import os, sys; print(os.getcwd(), os.environ['A'], 'HOME' in os.environ); print('e', file=sys.stderr)"
    )
    with Child(program, log=tmp_path / "deep" / "log", env={"A": "1"}, cwd=tmp_path) as child:
        assert child.wait(20) == 0
    assert child.tail().splitlines() in (
        [f"{tmp_path.resolve()} 1 False", "e"],
        ["e", f"{tmp_path.resolve()} 1 False"],
    )
    assert len(child.tail(1).splitlines()) == 1


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with Child(python("import time; time.sleep(300)"), log=tmp_path / "log") as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.05)
        assert child.running()
    assert not child.running()


def test_stopping_ends_grandchildren_that_ignore_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}, sys.argv[1]])"
    with Child(python(script, str(tmp_path / "pid")), log=tmp_path / "log"):
        wait_until((tmp_path / "pid").exists)
        wait_until((tmp_path / "pid").read_text)
        grandchild = int((tmp_path / "pid").read_text())
        assert alive(grandchild)
    assert not alive(grandchild)


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys;"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']).pid)"
    )
    with Child(python(script), log=tmp_path / "log") as child:
        assert child.wait(20) == 0
        assert not alive(int(child.tail()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds processes that left their group")
@pytest.mark.parametrize("program", ["import time; time.sleep(300)", STUBBORN], ids=["polite", "stubborn"])
def test_what_left_the_group_is_ended_too(tmp_path: Path, program: str) -> None:
    script = (
        "import subprocess, sys, time;"
        f"command = [sys.executable, '-c', {program!r}, sys.argv[1]];"
        "print(subprocess.Popen(command, start_new_session=True).pid);"
        "time.sleep(0.5); raise SystemExit(3)"
    )
    with Child(python(script, str(tmp_path / "pid")), log=tmp_path / "log") as child:
        assert child.wait(30) == 3
        assert not alive(int(child.tail()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_children_end_when_their_parent_is_signalled(tmp_path: Path, number: signal.Signals) -> None:
    parent = subprocess.Popen(python(PARENT, str(tmp_path)), stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent:
        guard = int(parent.stdout.readline())
        assert alive(guard)
        parent.send_signal(number)
    wait_until(lambda: not alive(guard))


def test_signals_unwind_like_ctrl_c(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from pennyworth.host.processes import raise_on_signals\n"
        "raise_on_signals()\n"
        "for name in ('SIGTERM', 'SIGHUP'):\n"
        "    try:\n"
        "        os.kill(os.getpid(), getattr(signal, name)); signal.pause()\n"
        "    except KeyboardInterrupt as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(python(script), capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["SIGTERM", "SIGHUP"]


def test_ctrl_c_is_acknowledged_at_once_and_a_second_one_does_not_interrupt_the_clean_up() -> None:
    script = (
        "import os, signal\n"
        "from pennyworth.host.processes import raise_on_signals\n"
        "raise_on_signals('stopping')\n"
        "try:\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT); signal.pause()\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)\n"
        "        print('cleaned up')\n"
        "except KeyboardInterrupt as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(python(script), capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == "\nstopping\n"
    assert done.stdout.splitlines() == ["cleaned up", "SIGINT"]


def test_output_is_read_while_it_comes(tmp_path: Path) -> None:
    script = "import sys\nprint('one', flush=True)\nsys.stdout.write('two\\nrest')\n"
    with Child(python(script), log=tmp_path / "log") as child:
        assert list(child.lines()) == ["one", "two"]
