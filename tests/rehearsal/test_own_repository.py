"""The README's "From your own repository", taken by its word: its commands, then a push."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests import warm
from tests.gh import Gh
from tests.rehearsal.account import client
from tests.rehearsal.test_deploy import DONE, went

from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import CALLED, REGION, REPOSITORY, Repository

DOMAIN = "example.com"


def steps() -> list[str]:
    """What the README says to do, in its order."""
    (section,) = re.findall(
        r"^### From your own repository\n(.*?)^### ",
        (ROOT / "README.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    found = re.findall(r"^\d\. (.*?)(?=^\d\. |\n\n\S)", section, re.MULTILINE | re.DOTALL)
    assert len(found) == 3, found
    return found


def test_three_steps_deploy_from_a_repository_that_holds_a_configuration_alone(
    judging_aws: LocalAws, tmp_path: Path
) -> None:
    first, second, third = steps()
    aws = judging_aws
    with Repository(aws, called=True, ready=False) as repository:
        hub = Gh(tmp_path, REPOSITORY)
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **aws.environ(REGION),
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
        }
        client(aws, "route53").create_hosted_zone(Name=DOMAIN, CallerReference=DOMAIN)

        def typed(command: str, value: str = "") -> str:
            done = subprocess.run(
                shlex.split(f"env {command}"),
                cwd=repository.tree,
                env=environ,
                input=value,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        # 1. two files; whose workflows are called, the package knows from uv, and this checkout does not
        (command,) = re.findall(
            r"\$ uvx --from git\+https://github\.com/OWNER/pennyworth pennyworth (.*)", first
        )
        called, _, ref = CALLED.partition("@")
        for file in (".github/workflows/pennyworth.yml", "config.yaml"):
            (repository.tree / file).unlink()
        left = typed(
            f"PYTHONPATH={ROOT / 'src'} python3 -m pennyworth.cli {command}"
            f" --region {REGION} --from {called} --ref {ref}"
        )
        written = (repository.tree / "config.yaml").read_text()
        assert "openai/*" in written

        # 2. the roles and the secrets, by the command that the first has said
        assert "`pennyworth bootstrap`" in second
        (command,) = re.findall(r"^ +(PYTHONPATH=\S+ python3 .* bootstrap .*)$", left, re.MULTILINE)
        typed(f"{command} --yes")
        (command,) = re.findall(r"gh secret set PROVIDER_CREDENTIALS", left)
        assert re.search(r"^ +OPENAI_API_KEY=", left, re.MULTILINE)
        key = repository.provider_credentials.rpartition("=")[2].strip()
        base = repository.upstream.base_url
        typed(command, f"OPENAI_API_KEY={key}\nOPENAI_API_BASE={base}\n")

        # 3. push
        assert third.startswith("**Push.**")
        repository.python = warm.step_python()
        repository.secrets = hub.secrets
        repository.variables["SMOKE_MODELS"] = f"openai/{repository.upstream.name}"
        rehearsal = repository.run()
        assert rehearsal.job.succeeded, rehearsal.job.output
        assert len(went(rehearsal.job)) == len(
            DONE
        )  # the stack's name is masked in theirs: it is a common word
        for name, value in repository.secrets.items():
            assert value not in rehearsal.shown, name
        assert "<https://api.***/v1>" in rehearsal.summary
        assert f"it streams its answer | `openai/{repository.upstream.name}`" in rehearsal.summary
