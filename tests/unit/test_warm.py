"""A warm program is the program: the same words, surroundings, output, status and end."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests import warm

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT, VARIABLE, work_dir
from pennyworth.host.processes import Child

SURROUNDINGS = """
import os, sys
print(sys.argv[1:], sys.stdin.read(), os.getcwd(), sorted(os.environ), sys.prefix, flush=True)
print("told", file=sys.stderr, flush=True)
sys.exit(7)
"""


def write(folder: Path, source: str) -> dict[str, str]:
    """The environment in which `python -m some_module` finds a source."""
    (folder / "some_module.py").write_text(source)
    return {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{folder}", "PATH": os.defpath, "OWN": "value"}


@pytest.mark.parametrize("words", [["-m", "some_module", "a b", "ü"], ["some_module.py", "a b", "ü"]])
def test_what_it_runs_sees_what_it_would_see(tmp_path: Path, words: list[str]) -> None:
    environ = write(tmp_path, SURROUNDINGS)
    called = [
        subprocess.run(
            [folder / "python", *words],
            cwd=tmp_path,
            env=environ,
            input="given",
            capture_output=True,
            text=True,
        )
        for folder in (environment("tools"), warm.tools())
    ]
    assert called[0].returncode == called[1].returncode == 7
    assert called[0].stdout == called[1].stdout
    assert called[0].stderr == called[1].stderr


def test_sam_is_sam(tmp_path: Path) -> None:
    environ = os.environ | {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(tmp_path)}
    for words in (["--version"], ["deploy", "--nothing-of-the-kind"], ["validate", "-t", "missing.yaml"]):
        called = [
            subprocess.run(
                [folder / "sam", *words], cwd=tmp_path, env=environ, capture_output=True, text=True
            )
            for folder in (environment("tools"), warm.tools())
        ]
        assert called[0].returncode == called[1].returncode, words
        assert called[0].stdout == called[1].stdout
        assert called[0].stderr == called[1].stderr


@pytest.mark.skipif(sys.platform != "linux", reason="they are the programs themselves")
def test_sams_modules_are_not_among_this_projects(tmp_path: Path) -> None:
    environ = write(
        tmp_path, "import logging, sys; print('samcli' in sys.modules, logging.getLogger().handlers)"
    )
    told = subprocess.run(
        [warm.tools() / "python", "-m", "some_module"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "False []\n"


@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_it_ends_with_its_caller(tmp_path: Path, ends: str) -> None:
    source = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    environ = write(tmp_path, source)
    with Child([warm.tools() / "python", "-m", "some_module"], log=tmp_path / "log", env=environ) as child:
        while not (tmp_path / "log").read_text().endswith("\n"):
            assert child.running()
            time.sleep(0.02)
        pid = int((tmp_path / "log").read_text())
        os.kill(pid, 0)
        if ends == "kill":  # of the program itself; its caller has to hear of it
            os.kill(pid, signal.SIGKILL)
            assert child.wait(10) == 128 + signal.SIGKILL
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_deployment_in_it_is_warm_too() -> None:
    asked = (
        "import pennyworth.pipeline.deploy.deployment as deployment; print(deployment.environment('tools'))"
    )
    assert warm.environment("tools") == warm.tools()
    assert warm.environment("test") == environment("test")
    cold = subprocess.run(
        [environment("tools") / "python", "-c", asked],
        env={"PYTHONPATH": str(ROOT / "src"), VARIABLE: str(work_dir())}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert cold.stdout.strip() == str(environment("tools"))


def test_a_rehearsals_steps_have_their_own_sources_and_everything_else_is_cold(tmp_path: Path) -> None:
    steps = tmp_path / "pennyworth" / "pipeline" / "steps.py"
    steps.parent.mkdir(parents=True)
    steps.write_text("import sys; print(__file__, sys.prefix, sys.argv[1:], 'boto3' in sys.modules)")
    (tmp_path / "other.py").write_text("import sys; print('boto3' in sys.modules)")
    environ = {"PYTHONPATH": str(tmp_path), "PATH": os.defpath}

    def called(*words: str) -> str:
        program = warm.step_python()
        return subprocess.run(
            [program, *words], env=environ, capture_output=True, text=True, check=True
        ).stdout.strip()

    warmth = sys.platform == "linux"
    prefix = environment("tools").parent if warmth else sys.base_prefix
    assert called("-m", warm.STEPS, "some-step") == f"{steps} {prefix} ['some-step'] {warmth}"
    assert called("-m", "other") == "False"


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked here")
def test_a_forked_gateway_ends_as_a_started_one_does(tmp_path: Path) -> None:
    environ = {"PATH": os.defpath, "PORT": "0"}
    real = subprocess.run(
        [sys.executable, "-s", "-m", "pennyworth.gateway"],
        env={**environ, "PYTHONPATH": str(ROOT / "src")},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    forked = warm.gateway(environ, tmp_path, litellm=False)
    assert forked.stdout
    said = forked.stdout.read()
    assert forked.wait(20) == forked.poll() == real.returncode != 0
    assert "LITELLM_MODEL_PROVIDER" in said
    assert without_times(said) == without_times(real.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked here")
def test_a_forked_gateway_takes_signals_and_ends_with_its_caller(tmp_path: Path) -> None:
    environ = {"PATH": os.defpath, "PORT": "0", "LITELLM_MODEL_PROVIDER": "openai", "LITELLM_API_KEYS": "key"}
    one, other = (warm.gateway(environ, tmp_path, litellm=False) for _ in range(2))
    assert isinstance(other, warm.Forked) and one.stdout and other.stdout
    for each in (one.stdout, other.stdout):
        assert any("listening" in line for line in each)
    assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    one.terminate()
    assert one.wait(20) == 0
    other._caller.close()
    assert other.stdout.read() is not None  # to its end
    deadline = time.monotonic() + 20
    while Path(f"/proc/{other.pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def without_times(log: str) -> str:
    """A log in which no moment is named."""
    return re.sub(r'"time": "[^"]*"', "", log)
