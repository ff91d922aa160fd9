"""`pennyworth init`: what it writes works, what a person wrote stays, and it waits for nobody who is not there."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from tests.lint.actionlint import program

from pennyworth import __version__
from pennyworth.checks.config import Severity, catalogue, check
from pennyworth.gateway.providers import PROVIDERS
from pennyworth.host.environments import environment
from pennyworth.host.installation import Origin
from pennyworth.host.places import ROOT
from pennyworth.setup.domain import WrongDomain, read_domain
from pennyworth.setup.init import (
    CALLERS,
    CONFIG,
    Answers,
    Caller,
    SourceUnknown,
    WorkflowSource,
    config,
    find_source,
    workflow,
    workflow_problems,
)
from pennyworth.setup.init.files import CALLED

WORKFLOW = CALLERS[0].file
HERE = WorkflowSource("owner/project", "0123456789abcdef0123456789abcdef01234567", published=True)


def git(folder: Path, *words: str) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgSign=false"]
    subprocess.run(["git", *identity, *words], cwd=folder, env=own, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "trunk")
    return folder


def init(
    folder: Path,
    *words: str,
    said: str | None = None,
    path: str = "/usr/bin:/bin",
    environ: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal, as a script would."""
    return subprocess.run(
        [sys.executable, "-m", "pennyworth.cli", "init", *words],
        cwd=folder,
        # not the checkout that the tests' own folder may lie in
        env={
            "PYTHONPATH": str(ROOT / "src"),
            "PATH": path,
            "GIT_CEILING_DIRECTORIES": str(folder.parents[2]),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **environ,
        },
        input=said,
        stdin=subprocess.DEVNULL if said is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


SELDOM = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
"""Secrets that most have no use for, and the workflow's page tells of."""
FROM = ("--from", "owner/project", "--ref", "v1")
QUESTIONS = [
    "Which providers do you use? (LiteLLM's names) [openai]: ",
    "Your domain, to serve at api.DOMAIN? (empty for the plain API URL): ",
    "Which AWS region? [us-east-1]: ",
    "What is the stack to be called? [endpoint]: ",
]


def test_it_writes_both_files_checks_them_and_says_what_is_left(repository: Path) -> None:
    done = init(
        repository, *FROM, "--provider", "anthropic", "--domain", "example.com", "--stack-name", "mine"
    )
    assert done.returncode == 0, done.stderr
    called = yaml.safe_load((repository / WORKFLOW).read_text())
    (job,) = called["jobs"].values()
    assert called[True]["push"] == {"branches": ["trunk"]}
    assert job["uses"] == "owner/project/.github/workflows/deploy.yml@v1"
    assert "BASE_DOMAIN" in job["secrets"]
    assert "example.com" not in (repository / WORKFLOW).read_text()  # where it runs is a secret
    assert check(repository / CONFIG, {"ANTHROPIC_API_KEY": "x"}).findings == ()
    assert "✓ config.yaml checked" in done.stderr
    assert "✓ .github/workflows/pennyworth.yml checked" in done.stderr
    assert (
        "bootstrap" in done.stdout and "--stack-name mine --branch trunk --domain example.com" in done.stdout
    )
    assert "ANTHROPIC_API_KEY=..." in done.stdout


def test_the_next_command_names_a_python_that_is_new_enough(repository: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)
    done = init(repository, *FROM, path=f"{programs}:/usr/bin:/bin")
    assert f" python3.{sys.version_info.minor} -m pennyworth.cli bootstrap" in done.stdout
    done = init(repository, *FROM, path=f"{Path(sys.executable).parent}:/usr/bin:/bin")
    assert " python3 -m pennyworth.cli bootstrap" in done.stdout


def test_running_it_again_changes_nothing(repository: Path) -> None:
    init(repository, *FROM)
    before = {path: path.read_bytes() for path in (repository / CONFIG, repository / WORKFLOW)}
    done = init(repository, *FROM)
    assert done.returncode == 0
    assert done.stderr.count("is up to date\n") == 2
    assert {path: path.read_bytes() for path in before} == before


def test_what_a_person_wrote_stays_and_is_shown_beside_the_new(repository: Path) -> None:
    own = "model_list: [{model_name: m, litellm_params: {model: groq/m}}]\n"
    (repository / CONFIG).write_text(own)
    done = init(repository, *FROM, "--provider", "openai")
    assert done.returncode == 0, done.stderr
    assert (repository / CONFIG).read_text() == own
    assert "config.yaml already exists and was not changed" in done.stderr
    assert f"    -{own}" in done.stderr
    assert '+  - model_name: "openai/*"' in done.stderr
    assert "GROQ_API_KEY=..." in done.stdout  # what is left follows the file that is there


def test_a_configuration_that_stays_says_what_the_workflow_needs(repository: Path) -> None:
    own = "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]\n"
    (repository / CONFIG).write_text(own)
    done = init(repository, *FROM)
    assert done.returncode == 0, done.stderr
    assert "config.yaml exists and stays as it is" in done.stderr
    assert (repository / CONFIG).read_text() == own
    assert "parameters: BedrockAccess=yes" in (repository / WORKFLOW).read_text()


def test_with_force_files_are_replaced(repository: Path) -> None:
    (repository / CONFIG).write_text("model_list: []\n")
    done = init(repository, *FROM, "--force", "--provider", "groq", "--json")
    assert done.returncode == 0, done.stderr
    assert "✓ config.yaml replaced" in done.stderr
    told = json.loads(done.stdout)
    assert told["repository"] == str(repository)
    assert told["files"] == [
        {"path": str(CONFIG), "state": "replaced"},
        {"path": str(WORKFLOW), "state": "written"},
    ]
    assert told["next_steps"][1].endswith("\n  GROQ_API_KEY=...")
    assert "groq/*" in (repository / CONFIG).read_text()


def test_what_a_person_wrote_is_checked(repository: Path) -> None:
    (repository / CONFIG).write_text("model_list: [{model_name: m, litellm_params: {model: opnai/m}}]\n")
    done = init(repository, *FROM, "--json")
    assert done.returncode == 1
    assert "LiteLLM knows no provider 'opnai'" in done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["command"] == "init" and "LiteLLM knows no provider 'opnai'" in error["message"]


def test_it_works_from_a_folder_below(repository: Path) -> None:
    (repository / "deep" / "down").mkdir(parents=True)
    assert init(repository / "deep" / "down", *FROM).returncode == 0
    assert (repository / CONFIG).exists() and (repository / WORKFLOW).exists()


def test_without_a_terminal_answers_on_standard_input_are_not_waited_for(repository: Path) -> None:
    assert init(repository, *FROM, said="anthropic\n").returncode == 0
    assert "openai/*" in (repository / CONFIG).read_text()


def asked(repository: Path, answers: bytes, *words: str) -> tuple[str, str]:
    """Run the command at a terminal. Returns its output and its errors."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pennyworth.cli", "init", *FROM, *words],
        cwd=repository,
        env={
            "PYTHONPATH": str(ROOT / "src"),
            "PATH": os.environ["PATH"],
            "TERM": "dumb",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(ours, answers)
        out, errors = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, errors
    return out, errors


def test_at_a_terminal_it_asks_for_one_thing_at_a_time(repository: Path) -> None:
    out, _ = asked(repository, b"groq, bedrock\nexample.com\neu-west-1\nother\n")
    assert [question for question in QUESTIONS if question in out] == QUESTIONS
    assert "--region eu-west-1 --stack-name other" in out and "--domain example.com" in out
    text = (repository / CONFIG).read_text()
    assert "groq/*" in text and "bedrock/*" in text
    assert "parameters: BedrockAccess=yes" in (repository / WORKFLOW).read_text()


def test_it_does_not_ask_for_what_would_not_be_used(repository: Path) -> None:
    (repository / CONFIG).write_text("model_list: [{model_name: m, litellm_params: {model: groq/m}}]\n")
    out, _ = asked(repository, b"\n", "--domain", "", "--stack-name", "mine")
    assert [question for question in QUESTIONS if question in out] == ["Which AWS region? [us-east-1]: "]
    out, _ = asked(repository, b"\n\n\n\n", "--force")
    assert [question for question in QUESTIONS if question in out] == QUESTIONS


def test_a_domain_that_is_none_is_asked_for_again(repository: Path) -> None:
    out, errors = asked(repository, b"openai\nlocalhost\nhttps://API.Example.com/\n\n\n")
    assert "! localhost is not a domain" in errors
    assert "the domain is example.com" in errors
    assert "--domain example.com" in out


@pytest.mark.parametrize(
    ("environ", "profile", "region"),
    [
        ({}, "", "us-east-1"),
        ({}, "[default]\nregion = eu-north-1\n", "eu-north-1"),
        ({"AWS_PROFILE": "work"}, "[default]\nregion = x\n[profile work]\nregion=eu-west-2\n", "eu-west-2"),
        ({"AWS_DEFAULT_REGION": "eu-west-3"}, "[default]\nregion = x\n", "eu-west-3"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-3"}, "", "eu-west-1"),
        ({}, "no profile at all", "us-east-1"),
    ],
)
def test_the_region_is_the_one_that_is_set_for_aws(
    repository: Path, environ: dict[str, str], profile: str, region: str
) -> None:
    (repository / "profiles").write_text(profile)
    done = init(repository, *FROM, environ={**environ, "AWS_CONFIG_FILE": str(repository / "profiles")})
    assert done.returncode == 0, done.stderr
    assert f"bootstrap --region {region} " in done.stdout


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        ("example.com", "example.com"),
        ("https://example.com/", "example.com"),
        ("http://Example.COM", "example.com"),
        (" api.example.com. ", "example.com"),
        ("https://API.sub.example.co.uk//", "sub.example.co.uk"),
        ("api.com", "api.com"),
        ("", ""),
    ],
)
def test_a_domain_is_understood_as_people_write_it(typed: str, domain: str) -> None:
    assert read_domain(typed) == domain


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("localhost", "is not a domain"),
        ("https://example.com/v1", "it has a path"),
        ("example.com:8080", "it has a port"),
        ("someone@example.com", "it has a user"),
        ("*.example.com", "[*] can't be in one"),
        ("my_site.example.com", "my_site can't be in one"),
        ("-a.example.com", "-a can't be in one"),
        ("a..example.com", "an empty part can't be in one"),
        ("bücher.example", "xn--"),
        ("10.0.0.1", "is not a domain"),
        ("http://[::1", "is not a domain"),
        ("two words.com", "can't be in one"),
    ],
)
def test_what_is_no_domain_is_refused_with_a_reason(typed: str, why: str) -> None:
    with pytest.raises(WrongDomain, match=why):
        read_domain(typed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*FROM, "--domain", "example.com/v1"), "example.com/v1 is not a domain: it has a path"),
        ((*FROM, "--provider", "opnai"), "Did you mean 'openai'?"),
        (("--from", "no-owner"), "--from takes OWNER/NAME"),
    ],
)
def test_what_it_cannot_do_is_said_and_nothing_is_written(
    repository: Path, words: tuple[str, ...], message: str
) -> None:
    done = init(repository, *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert {path.name for path in repository.iterdir()} == {".git"}


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    done = init(tmp_path, *FROM)
    assert done.returncode == 1
    assert "git init" in done.stderr


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/owner/project.git",
        "https://github.com/owner/project",
        "git@github.com:owner/project.git",
        "ssh://git@github.com/owner/project",
        "ssh://git@github.com:22/owner/project.git",
        "https://someone:secret@github.com/owner/project/",
    ],
)
def test_the_workflow_to_call_is_this_projects_own_remote_and_commit(tmp_path: Path, remote: str) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(SourceUnknown, match="--from"):
        find_source(checkout=tmp_path)
    git(tmp_path, "remote", "add", "origin", remote)
    with pytest.raises(SourceUnknown, match="--ref"):
        find_source(checkout=tmp_path)
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "x")
    found = find_source(checkout=tmp_path)
    assert found.repository == "owner/project"
    assert len(found.ref) == 40 and not found.published
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert find_source(checkout=tmp_path).published


def test_an_installed_package_calls_the_workflows_of_the_commit_that_it_was_built_from() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    origin = Origin("git+https://github.com/owner/project@main", "https://github.com/owner/project", commit)
    assert find_source(origin=origin) == WorkflowSource("owner/project", commit, published=True)
    assert find_source("owner/fork", "v9", origin=origin) == WorkflowSource(
        "owner/fork", "v9", published=True
    )
    assert find_source("owner/project").ref == f"v{__version__}"  # from a package index


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        (None, "came from a package index. Use --from OWNER/NAME"),
        (
            Origin("/some/folder"),
            "installed from /some/folder, not from a git repository. Use --from OWNER/NAME and",
        ),
        (Origin("git+file:///a/b", "file:///a/b", "0" * 40), "is a folder, where GitHub can't find it"),
    ],
)
def test_an_installed_package_asks_for_what_it_does_not_know(origin: Origin | None, message: str) -> None:
    with pytest.raises(SourceUnknown) as caught:
        find_source(origin=origin)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "remote", ["/home/me/code", "../code", "./my/code", "~/my/code", "my/code", "file:///home/me/code"]
)
def test_a_folder_is_no_repository_that_github_can_call(tmp_path: Path, remote: str) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", remote)
    with pytest.raises(
        SourceUnknown, match=r"is a folder, where GitHub can't find it\. Use --from OWNER/NAME"
    ):
        find_source(checkout=tmp_path)


@pytest.mark.parametrize(
    ("remote", "option"),
    [
        ("", "--repository OWNER/NAME"),
        ("/home/me/mine", "--repository OWNER/NAME"),
        ("git@github.com:me/mine.git", ""),
        ("git@my-alias:me/mine.git", "--repository me/mine"),
        ("git@octo.ghe.com:me/mine.git", "--github-host octo.ghe.com"),
    ],
)
def test_bootstrap_is_told_the_repository_where_it_cannot_know_it(
    repository: Path, remote: str, option: str
) -> None:
    if remote:
        git(repository, "remote", "add", "origin", remote)
    done = init(repository, *FROM, environ={"GH_HOST": "octo.ghe.com"} if "ghe.com" in remote else {})
    (command,) = [line for line in done.stdout.splitlines() if " bootstrap " in line]
    assert option in command
    assert ("--repository" in command) == option.startswith("--repository")


@pytest.mark.parametrize("provider", sorted({*PROVIDERS, *catalogue.list_key_variables()}))
def test_every_providers_configuration_stands_the_check(tmp_path: Path, provider: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config(Answers((provider, "openai"))))
    every = {
        name: "https://x.example" if need.parameter == "api_base" else "x"
        for model in check(path, {}).models
        for need in model.needs
        for name in need.variables
    }
    report = check(path, every)
    assert [finding for finding in report.findings if finding.severity is Severity.ERROR] == []
    assert not [finding for finding in report.findings if "is the machine that" in finding.message]
    assert report.models[0].name == f"{provider}/*"


def test_further_callers_are_written_where_they_are_asked_for(repository: Path) -> None:
    done = init(repository, *FROM, "--with", "preview", "--with", "health-check")
    assert done.returncode == 0, done.stderr
    for caller in CALLERS:
        (job,) = yaml.safe_load((repository / caller.file).read_text())["jobs"].values()
        assert job["uses"] == f"owner/project/.github/workflows/{caller.name}.yml@v1"
        assert f"✓ {caller.file} checked" in done.stderr
        assert str(caller.file) in done.stdout


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
@pytest.mark.parametrize(
    "answers",
    [
        Answers(("openai",)),
        Answers(("bedrock",), "example.com", "us-west-2", "endpoint", readable=True),
    ],
    ids=["secret", "readable"],
)
def test_the_workflow_stands_the_linters(tmp_path: Path, answers: Answers, caller: Caller) -> None:
    text = workflow(answers, HERE, caller)
    (job,) = yaml.safe_load(text)["jobs"].values()
    assert len(job.get("with", {})) <= 5  # a person can take in so many
    assert answers.readable != ("AWS_REGION" in job["secrets"])
    assert not answers.readable or job["with"]["aws-region"] == "us-west-2"
    assert workflow_problems(text, caller) == []
    path = tmp_path / caller.file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    done = subprocess.run([program(), path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    zizmor = [environment("lint") / "zizmor", "--offline", "--persona", "pedantic", "--format", "json", path]
    findings = json.loads(subprocess.run(zizmor, capture_output=True, text=True, check=False).stdout)
    assert {finding["ident"] for finding in findings} <= {
        "concurrency-limits"
    }  # the called workflow has them


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_a_caller_hands_over_every_secret_and_no_permission_too_many(caller: Caller) -> None:
    called = yaml.safe_load((CALLED / f"{caller.name}.yml").read_text())
    declared = called[True]["workflow_call"]["secrets"]
    (job,) = yaml.safe_load(workflow(Answers(("openai",), domain="example.com"), HERE, caller))[
        "jobs"
    ].values()
    another_role = {"AWS_DEPLOY_ROLE_ARN"} if caller.name == "health-check" else set()
    assert set(declared) - set(job["secrets"]) <= SELDOM | another_role
    needed = {name: access for one in called["jobs"].values() for name, access in one["permissions"].items()}
    assert job["permissions"] == needed


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("deploy.yml@", "deploy.yml", "no job of it calls"),
        ("owner/project/", "project/", "is not OWNER/NAME"),
        ("config: config.yaml", "confg: config.yaml", "with: there is no confg"),
        ("AWS_REGION:", "REGION:", "secrets: there is no REGION"),
        ("id-token: write", "id-token: none", "permissions: id-token: write is needed"),
        ("jobs:", "job:", "it has no jobs"),
        ("on:", "on: [", "it is no YAML"),
    ],
)
def test_a_caller_that_cannot_work_is_told(before: str, after: str, problem: str) -> None:
    text = workflow(Answers(("openai",)), HERE)
    assert before in text
    (found,) = workflow_problems(text.replace(before, after))
    assert problem in found
