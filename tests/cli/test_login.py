"""What commands say where AWS credentials, the region or the stack's name are missing."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests import warm

from pennyworth.host.places import ROOT, work_dir

ABOUT_A_STACK: dict[str, tuple[str, ...]] = {
    "health": (),
    "recover": (),
    "rollback": (),
    "tighten-passrole": ("--dry-run",),
    "preview": ("--template", str(ROOT / "template.yaml")),
    "credentials": ("list",),
    "logs": (),
    "open": (),
    "remove": ("--yes",),
    "status": (),
}
ABOUT_AN_ACCOUNT: dict[str, tuple[str, ...]] = {"doctor": (), "bootstrap": ("--dry-run",)}
COMMANDS = {**ABOUT_A_STACK, **ABOUT_AN_ACCOUNT}
HOW = "Log in with `aws sso login`, run `aws configure`, or set AWS_PROFILE."
NONE = f"You are not logged in to AWS: Unable to locate credentials. {HOW}"
PLACE = {"STACK_NAME": "endpoint", "AWS_REGION": "us-west-2"}


def run(command: str, home: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [warm.tools() / "python", "-m", "pennyworth.cli", command, *COMMANDS[command], *words],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(home),
            "PENNYWORTH_WORK_DIR": str(work_dir().resolve()),
            "AWS_EC2_METADATA_DISABLED": "true",
            **environ,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_every_command_says_how_to_log_in(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path, **PLACE)
    assert done.returncode != 0
    assert done.stderr == f"pennyworth {command}: {NONE}\n"
    assert not done.stdout


@pytest.mark.parametrize("command", ["rollback", "doctor"])
def test_a_profile_that_there_is_not_is_named(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path, **PLACE, AWS_PROFILE="nobody")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "(nobody) could not be found" in line
    assert line.endswith(HOW)


def test_no_way_to_aws_is_not_taken_for_a_missing_login(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    done = run("rollback", tmp_path, **PLACE, **keys, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "AWS can't be reached" in done.stderr
    assert "Log in" not in done.stderr


@pytest.mark.parametrize("command", ABOUT_A_STACK)
def test_what_is_missing_is_named_with_its_variable(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"pennyworth {command}: --stack-name is missing: give it, or set STACK_NAME",
        f"pennyworth {command}: --region is missing: give it, or set AWS_REGION",
    ]


@pytest.mark.parametrize("command", ABOUT_AN_ACCOUNT)
def test_a_missing_region_is_named_with_its_variable(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"pennyworth {command}: --region is missing: give it, or set AWS_REGION\n"


@pytest.mark.parametrize("command", ["doctor", "rollback"])
def test_the_profile_s_region_is_enough(command: str, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-central-1\n")
    assert NONE in run(command, tmp_path, STACK_NAME="endpoint").stderr


def test_a_profile_that_is_given_wins_over_keys_in_the_environment(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile other]\nregion = eu-central-1\n")
    done = run("logs", tmp_path, "--profile", "other", STACK_NAME="endpoint", **keys)
    assert done.returncode == 1
    assert done.stderr == f"pennyworth logs: {NONE}\n"  # and so the region is the profile's
    assert "(nobody) could not be found" in run("doctor", tmp_path, "--profile", "nobody", **PLACE).stderr


def test_programs_are_told_in_json_what_is_missing(tmp_path: Path) -> None:
    done = run("status", tmp_path, "--json", **PLACE)
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"error": {"command": "status", "message": NONE, "exit_status": 2}}
    wrong = run("status", tmp_path, "--json", "--nothing")
    assert wrong.returncode == 2
    error = json.loads(wrong.stdout)["error"]
    assert error["command"] == "status" and "--nothing" in error["message"]
