"""`pennyworth eject`: what it writes deploys by itself, without this project."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import yaml
from tests.lint.actionlint import program

from pennyworth.checks import smoke
from pennyworth.checks.config import check
from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream
from pennyworth.pipeline.build import Target
from pennyworth.setup import eject

REGION = "us-west-2"
STACK = "ejected"
DOMAIN = "ejected.example.com"
WORKFLOW = ".github/workflows/deploy.yml"
NOT_HERE = {"Install the tools", "Test the endpoint"}
"""Steps that fetch packages anew, or ask AWS's own address."""


def written(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pennyworth.cli", "eject", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(params=["direct", "litellm"])
def ejected(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    provider = {"direct": "groq", "litellm": "bedrock"}[request.param]
    config = {"model_list": [{"model_name": "m", "litellm_params": {"model": f"{provider}/m"}}]}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    done = written(tmp_path, "--to", "out", "--json")
    assert done.returncode == 0, done.stderr
    told, folder = json.loads(done.stdout), tmp_path / "out"
    assert told["folder"] == "out"
    assert {file["path"]: file["bytes"] for file in told["files"]} == {
        str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }
    return folder


def steps(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((folder / WORKFLOW).read_text())["jobs"]["deploy"]["steps"]
    return found


def test_what_is_shown_is_not_written(tmp_path: Path) -> None:
    done = written(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "template.yaml" in done.stdout and "policies/" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = written(tmp_path, "--to", ".", "--json")
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert "is not empty" in json.loads(done.stdout)["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_configuration_that_would_not_serve_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model_list: [{model_name: m, litellm_params: {model: opnai/m}}]\n")
    done = written(tmp_path, "--to", "out")
    assert done.returncode == 1
    assert "LiteLLM knows no provider 'opnai'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_it_needs_nothing_of_this_project(ejected: Path) -> None:
    used = [step["uses"] for step in steps(ejected) if "uses" in step]
    assert len(used) == 3
    assert all(re.fullmatch(r"(actions|aws-actions)/[\w-]+@[0-9a-f]{40}", name) for name in used)
    scripts = "\n".join(step["run"] for step in steps(ejected) if "run" in step)
    assert "pennyworth.pipeline" not in scripts and "pennyworth.cli" not in scripts
    for path in re.findall(r'-r "?(requirements/[\w.]+)', scripts):
        assert (ejected / path).exists()
    assert all((ejected / "requirements" / f"{name}.txt").exists() for name in ("uv", "tools"))


def test_its_files_stand_the_linters(ejected: Path) -> None:
    lint, tools = environment("lint"), environment("tools")
    unknown_yet = 'unexpected key "queue" for "concurrency" section'
    for command in (
        [program(), "-ignore", unknown_yet, "-shellcheck", lint / "shellcheck", ejected / WORKFLOW],
        [lint / "zizmor", "--offline", "--persona", "pedantic", "--quiet", ejected / WORKFLOW],
        [tools / "cfn-lint", "--regions", REGION, "--", ejected / "template.yaml"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_stack_gets_the_parameters_that_the_configuration_asks_for(ejected: Path) -> None:
    (deploy,) = [step for step in steps(ejected) if step.get("name") == "Deploy the stack"]
    litellm = "litellm==" in (ejected / "requirements" / "function.txt").read_text()
    assert deploy["env"]["BEDROCK_ACCESS"] == ("yes" if litellm else "automatic")
    declared = yaml.safe_load((ROOT / "template.yaml").read_text().partition("\nRules:")[0])["Parameters"]
    given = set(re.findall(r'^\s*"(\w+)=', deploy["run"], re.MULTILINE))
    assert given == set(declared) - {"ApiKeys", "ProviderCredentials"}


def test_the_function_is_the_gateway_and_the_configuration_alone(ejected: Path) -> None:
    function = ejected / "function"
    gateway = ROOT / "src" / "pennyworth" / "gateway"
    for source in gateway.rglob("*.py"):
        assert (function / source.relative_to(ROOT / "src")).read_bytes() == source.read_bytes()
    assert (function / "config.yaml").exists()
    assert os.access(function / "run.sh", os.X_OK)
    assert {path.name for path in function.iterdir()} == {"pennyworth", "run.sh", "config.yaml"}
    assert {path.name for path in (function / "pennyworth").iterdir()} == {"__init__.py", "gateway"}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(Answer(pace=0.02), key="sk-of-the-upstream") as scripted:
        yield scripted


def test_the_workflows_own_commands_deploy_it(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    config = tmp_path / "config.yaml"
    params = {
        "model": f"openai/{upstream.name}",
        "api_base": upstream.base_url,
        "api_key": "os.environ/UPSTREAM_KEY",
    }
    model = {"model_name": upstream.name, "litellm_params": params}
    config.write_text(json.dumps({"model_list": [model]}))
    folder, temporary = tmp_path / "out", tmp_path / "temporary"
    eject.write(eject.files(Target.here(), config, check(config, {})), folder)
    temporary.mkdir()
    for name in ("tools", "uv"):
        (temporary / name).symlink_to(environment(name).parent)
    secrets = {
        "AWS_REGION": REGION,
        "STACK_NAME": STACK,
        "LITELLM_API_KEYS": "'sk-first-of-the-callers'\nsk-second",
        "PROVIDER_CREDENTIALS": "# the upstream's\nUPSTREAM_KEY=\"sk-of-the-upstream\"\nPEM='first\nsecond'\nEMPTY=",
    }

    def filled(values: dict[str, str]) -> dict[str, str]:
        known = {f"secrets.{name}": value for name, value in secrets.items()} | {"github.sha": "0" * 40}
        expression = re.compile(r"\$\{\{ ([\w.]+) \}\}")
        return {name: expression.sub(lambda m: known.get(m[1], ""), text) for name, text in values.items()}

    with LocalAws() as aws:
        login = aws.environ(REGION)

        def client(service: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=aws.endpoint,
                region_name=REGION,
                aws_access_key_id=login["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=login["AWS_SECRET_ACCESS_KEY"],
            )

        zone = client("route53").create_hosted_zone(Name=DOMAIN, CallerReference=DOMAIN)["HostedZone"]["Id"]
        secrets |= {"BASE_DOMAIN": DOMAIN, "ROUTE53_HOSTED_ZONE_ID": zone.rpartition("/")[2]}
        job = yaml.safe_load((folder / WORKFLOW).read_text())["jobs"]["deploy"]
        environ = clean_environ() | login | filled(job["env"])
        environ |= {"RUNNER_TEMP": str(temporary), "SAM_CLI_POLL_DELAY": "0.5"}  # nobody here throttles it
        python = Path(sys.executable).resolve().parent
        environ["PATH"] = f"{environment('rehearsal')}:{python}:{environ['PATH']}"
        for step in job["steps"]:
            if "run" not in step or step["name"] in NOT_HERE:
                continue
            done = subprocess.run(
                ["bash", "-c", step["run"]],
                cwd=folder,
                env=environ | filled(step.get("env", {})),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=240,
            )
            assert done.returncode == 0, f"{step['name']}\n{done.stdout}{done.stderr}"
            assert "sk-" not in done.stdout + done.stderr
        (stack,) = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        address = urlsplit(aws.endpoint)
        endpoint = smoke.Endpoint(
            outputs["CustomDomainUrl"].replace("https://", "http://"),
            "sk-first-of-the-callers",
            connect=(str(address.hostname), address.port or 80),
        )
        results = smoke.run(endpoint, models=[upstream.name], wait=60.0)
        assert smoke.all_passed(results), smoke.as_markdown(results)
