"""The README's examples of setting up, as they are printed there. Its own-repository way: see tests/rehearsal."""

import re
import shlex
import subprocess

import pytest
from tests.shell import DOMAIN, Shell

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.host.places import ROOT

README = (ROOT / "README.md").read_text()


def section(heading: str) -> str:
    found = re.search(rf"^### {heading}\n(.*?)^#", README, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def block(heading: str) -> str:
    """The first example below a heading."""
    found = re.search(r"```(?:sh|console)\n(.*?)```", section(heading), re.DOTALL)
    assert found
    return re.sub(r"^\$ ", "", found[1], flags=re.MULTILINE)


def typed(shell: Shell, script: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Paste lines into a shell, in the checkout, where the command is installed."""
    script = f'pennyworth() {{ PYTHONPATH=src python3 -m pennyworth.cli "$@"; }}\n{script}'
    kept = {name: value for name, value in shell.environ.items() if name not in ("PYTHONPATH", "AWS_REGION")}
    kept.pop("AWS_DEFAULT_REGION", None)
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=ROOT,
        env=kept | environ,
        input="sk-provider\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_a_fork_is_set_up_by_the_line_that_is_printed(shell: Shell) -> None:
    install, command = block("From a fork").splitlines()
    assert install == "uv tool install --editable ."
    done = typed(shell, f"{command} --dry-run")
    assert done.returncode == 0, done.stderr
    assert f"BaseDomain = {DOMAIN}\n" in done.stdout
    assert "Region = us-west-2\n" in done.stdout


def test_by_hand_the_credentials_are_written_and_sam_gets_what_it_knows(shell: Shell) -> None:
    lines = block("By hand").replace("\\\n", " ").splitlines()
    (export, create, put, build, deploy) = lines
    done = typed(shell, "\n".join([export, create, put]))
    assert done.returncode == 0, done.stderr
    names = [one["Name"] for one in shell.client("ssm", "us-west-2").describe_parameters()["Parameters"]]
    assert any(name.endswith("/OPENAI_API_KEY") for name in names)
    assert any("/LITELLM_API_KEYS/" in name for name in names)
    assert build.split("#")[0].strip() == "template=$(pennyworth build | head -n 1)"
    words = shlex.split(deploy)
    assert words[words.index("--template-file") + 1] == "$template"
    assert words[words.index("--region") + 1] == "us-west-2"
    given = set(re.findall(r"(\w+)=", deploy.partition("--parameter-overrides")[2]))
    assert "ConfigHash" in given
    assert given <= set(SourceTemplate.read(ROOT / "template.yaml").parameters)


@pytest.mark.parametrize(
    ("heading", "needed"),
    [
        ("From your own repository", "needs gh"),
        ("From a fork", "With gh logged in"),
        ("From a fork", "AWS credentials of your own"),
        ("By hand", "[AWS SAM CLI]("),
        ("By hand", "your own AWS credentials"),
    ],
)
def test_what_an_example_needs_is_said_with_it(heading: str, needed: str) -> None:
    assert needed in section(heading)


def test_every_example_says_where_it_works() -> None:
    commands = [
        line
        for line in README.splitlines()
        if re.search(r"^ *\$ .*\bpennyworth (init|bootstrap) --(provider|domain)", line)
    ]
    assert len(commands) == 2
    for command in commands:
        assert "--region us-west-2" in command
