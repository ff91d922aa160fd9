"""Folders for one run: gone at its end, however it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pennyworth.host.scratch import scratch

HOLD = """
import time
from pennyworth.host.scratch import scratch
with scratch("held") as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path))


def test_it_is_gone_at_the_end() -> None:
    with pytest.raises(ZeroDivisionError), scratch("held") as folder:
        (folder / "file").touch()
        raise ZeroDivisionError
    assert not folder.exists()


def test_one_in_use_stays_and_one_of_a_killed_command_goes() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        held = Path(holder.stdout.readline().strip())
        try:
            with scratch("held"):
                assert held.exists()
        finally:
            holder.send_signal(signal.SIGKILL)
    assert held.exists()
    with scratch("other"):
        assert held.exists()
    with scratch("held"):
        assert not held.exists()
