"""A local GitHub repository to run workflows in, and the local AWS account that it deploys to.

    with LocalAws(auth=True) as aws, Repository(aws) as repository:
        deployed = repository.run()                                          # a push to main, by deploy.yml
        repository.write("config.yaml", "model_list: []")
        repository.run("preview.yml", event="pull_request", pull_request=PullRequest(7))
        repository.github.bodies(7)                                          # the comments on GitHub
        repository.upstream.answer = Answer(status=500)                      # the provider fails from here on
        repository.run("health-check.yml", event="schedule")

The command in policies/README.md sets up the account, with policies/bootstrap.yaml. The account keeps its state
between runs. The workflows, the template, `sam deploy` and the function are the real ones. The provider behind
the function is a scripted one. GitHub's API is a fake that enforces the workflow's `permissions:`.
"""

import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pennyworth.aws.names import Names
from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT, made
from pennyworth.host.scratch import scratch
from pennyworth.host.source_tree import source_tree
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.local.github import FakeGitHub
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.issuer import PullRequest, Run, TokenIssuer
from pennyworth.local.rehearsal.permissions import granted
from pennyworth.local.rehearsal.tree import rewritten, rewritten_tree
from pennyworth.pipeline.build import Target

WORKFLOWS = ".github/workflows"
WORKFLOW = f"{WORKFLOWS}/deploy.yml"
CALLER = f"{WORKFLOWS}/pennyworth.yml"
REPOSITORY = "example/pennyworth"
CALLED = "elsewhere/endpoint@v1"
BRANCH = "main"
REGION = "us-west-2"
STACK = "pennyworth-rehearsal"
DOMAIN = "rehearsal.example.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{Names().deploy_role}"
VIEW_ROLE = Names().view_role

Event = Literal["push", "workflow_dispatch", "schedule", "pull_request"]

_UPSTREAM_KEY = "REHEARSAL_UPSTREAM_KEY"
_PACE_SECONDS = 0.03  # so that a stream is recognisable as one
_CRON = "17 */6 * * *"
_LOGS_KEPT = 40
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CALLS = re.compile(r"^\s+uses:\s*([\w.-]+/[\w.-]+/\.github/workflows/[\w.-]+@[\w./-]+)", re.MULTILINE)


class Unprepared(OperationFailed):
    """The local account could not be set up. The message says why."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The results of a run."""

    job: act.Job
    trusted: str
    """The `sub` in the deploy role's trust policy."""
    presented: str
    """The `sub` in the run's token."""
    secrets: Mapping[str, str]
    """The repository's made-up secrets."""
    log: Path
    """act's log, with a JSON object per line."""

    @property
    def summary(self) -> str:
        """The job summary as GitHub shows it, with secrets masked."""
        text = self.job.summary
        for value in sorted(filter(None, self.secrets.values()), key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    @property
    def shown(self) -> str:
        """Everything in the log, including the source of the job summary."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(json.loads(line)["msg"] for line in lines if line.startswith("{"))


class Repository:
    """The repository and its account, for the duration of a `with` block. Only one run at a time."""

    def __init__(
        self,
        aws: LocalAws | None,
        *,
        immutable: bool = False,
        credentials: Literal["role", "keys", "both"] = "role",
        environment: str = "",
        called: bool = False,
        ready: bool = True,
    ) -> None:
        """
        Args:
            aws: the local AWS, with auth. Its deploy role will trust BRANCH of REPOSITORY. None: no account and
                no secrets, for workflows that don't use AWS.
            immutable: whether `sub` contains GitHub's numeric IDs, in the token and the trust policy.
            credentials: which secrets to set: the deploy role's ARN, an IAM user's static keys, or both.
            environment: a GitHub environment that the deploy role also trusts.
            called: whether this project is in another repository, CALLED, and this one has the files of
                `pennyworth init`: a configuration and CALLER, a workflow that calls it.
            ready: whether to set up the account and the repository's secrets. If not, the caller does.
        """
        self._aws = aws
        self._immutable = immutable
        self._credentials = credentials
        self._environment = environment
        self._called = called
        self._ready = ready
        self._within = ExitStack()
        self._runs = 0

    def __enter__(self) -> "Repository":
        """Write its files and set up the account.

        Raises:
            Unprepared: the account could not be set up.
        """
        with ExitStack() as within:
            self._folder = within.enter_context(scratch("rehearsal"))
            key = f"sk-upstream-{secrets.token_hex(16)}"
            self.provider_credentials = f"# for the rehearsal\n{_UPSTREAM_KEY}={key}\n"
            """The variable with the scripted provider's API key."""
            self.upstream = within.enter_context(ScriptedUpstream(Answer(pace=_PACE_SECONDS), key=key))
            """The scripted provider. To make it fail, use `upstream.answer` or `upstream.then`."""
            self.github = within.enter_context(FakeGitHub(REPOSITORY, self._folder / "github.git"))
            """The fake GitHub: what the runs sent, and what people do there."""
            self.tree = self._folder / "tree"
            """The repository's files for the next run. See `write`."""
            self._repositories: dict[str, Path] = {}
            if self._called:
                self._init()
                self._repositories[CALLED] = rewritten_tree(self._folder / "called", called=CALLED)
            else:
                rewritten_tree(self.tree)
            self.write("config.yaml", _configuration(self.upstream))
            act.commit(self.tree, REPOSITORY, BRANCH)
            self.github.commits.receive(self.tree, BRANCH)
            target = Target.here()
            self.parameters = target.parameters()
            """The stack parameters that the repository sets in its variable PARAMETERS; change them between runs."""
            self.variables: dict[str, str] = {}
            """The repository's other variables; change them between runs."""
            self.python: Path | None = None
            """The program that steps find as python3. None: the current interpreter."""
            self.secrets = self._prepare(self._aws) if self._aws and self._ready else {}
            """The repository's secrets. Change or remove them between runs."""
            self._within = within.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._within.close()

    def _variables(self) -> dict[str, str]:
        lines = "\n".join(f"{name}={value}" for name, value in self.parameters.items())
        return self.variables | {"PARAMETERS": lines}

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository for the next runs. Workflows and actions may contain `uses: $/`."""
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rewritten(text) if file.suffix == ".yml" else text)

    def run(
        self,
        workflow: str = "",
        *,
        event: Event = "push",
        inputs: Mapping[str, str] = MappingProxyType({}),
        branch: str = BRANCH,
        repository: str = REPOSITORY,
        environment: str = "",
        pull_request: PullRequest | None = None,
        online: bool = False,
        masked: bool = True,
        report: Callable[[act.Step], None] = lambda _: None,
    ) -> Rehearsal:
        """Run one of the repository's workflows.

        Args:
            workflow: the workflow file in .github/workflows, such as health-check.yml. Default: the one that
                deploys.
            event: the event that starts it. A schedule always runs on BRANCH.
            inputs: the inputs of a workflow_dispatch.
            branch: the branch in the run's token. A pull request's branch is in `pull_request`.
            repository: OWNER/NAME in the token.
            environment: the job's GitHub environment. Default: the input of that name.
            pull_request: the pull request of the event. Default: one from this repository.
            online: whether to fetch other projects' actions instead of using stand-ins.
            masked: whether to replace secrets with *** in the log, as GitHub does.
            report: called with each step when it ends.
        Raises:
            act.ActFailed: act could not run the workflow.
        """
        self._runs += 1
        name = f"{WORKFLOWS}/{workflow}" if workflow else CALLER if self._called else WORKFLOW
        asked = (pull_request or PullRequest()) if event == "pull_request" else None
        calls = _CALLS.findall((self.tree / name).read_text())
        run = Run(
            repository,
            branch,
            event,
            name,
            act.commit(self.tree, repository, asked.branch if asked else branch),
            environment or inputs.get("environment", ""),
            asked,
            calls[0] if calls else "",
        )
        foreign = bool(asked and asked.fork)  # GitHub gives such a run no secrets
        permissions = granted(self.tree, name, self._repositories)
        if foreign:
            permissions = dict.fromkeys(permissions, "read")
        self.github.commits.receive(self.tree, asked.branch if asked else branch)
        if asked:
            self.github.open_pull_request(asked.number)
        token = self.github.grant(permissions)
        folder = self._folder / f"run-{self._runs}"
        with TokenIssuer(run, immutable=self._immutable) as issuer:
            job = act.run(
                self.tree,
                name,
                _payload(run, inputs, self.github.commits.head(BRANCH) or run.sha),
                name=event,
                folder=folder,
                environ={
                    **(_reach(self._aws) if self._aws else {}),
                    **(issuer.environ if permissions.get("id-token") == "write" else {}),
                    "GITHUB_API_URL": self.github.api_url,
                    "GITHUB_RUN_ID": str(self._runs),
                    "GITHUB_RUN_NUMBER": str(self._runs),
                    "REHEARSAL_CACHE": str(self._folder / "cache"),
                    "PENNYWORTH_WORK_DIR": str(made().resolve()),
                    "PENNYWORTH_TARGET_SYSTEM": Target.here().system,
                    "SAM_CLI_POLL_DELAY": "0.5",  # the emulator does not throttle
                },
                secrets={**({} if foreign else self.secrets), "GITHUB_TOKEN": token},
                variables={} if foreign else self._variables(),
                repositories=self._repositories,
                online=online,
                masked=masked,
                python=self.python,
                report=report,
            )
        self.github.revoke(token)
        if not asked and self.github.commits.head(branch) != run.sha:
            act.pull(self.tree, self.github.commits.folder, branch)  # the run's commits
        log = _kept(folder / "act.jsonl", f"{self._folder.name}-{self._runs}")
        shutil.rmtree(folder, ignore_errors=True)
        trusted = Run(REPOSITORY, BRANCH, event, WORKFLOW, run.sha)
        trusts, presents = (one.subject(immutable=self._immutable) for one in (trusted, run))
        return Rehearsal(job, trusts, presents, dict(self.secrets), log)

    def _init(self) -> None:
        """Write the repository's files with `pennyworth init`."""
        called, _, ref = CALLED.partition("@")
        said = f"--provider openai --domain {DOMAIN} --branch {BRANCH} --from {called} --ref {ref}".split()
        self.tree.mkdir()
        for command in (["git", "init", "--quiet"], [sys.executable, "-m", "pennyworth.cli", "init", *said]):
            subprocess.run(
                command,
                cwd=self.tree,
                env=clean_environ() | {"PYTHONPATH": str(source_tree() / "src")},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )

    def _prepare(self, aws: LocalAws) -> dict[str, str]:
        """Set up the account with the command in policies/README.md. Returns the repository's secrets."""
        from pennyworth.iam.settings import (
            list_claims,
        )  # here, since the command line may lack what it imports

        trusted = Run(REPOSITORY, BRANCH, "push", WORKFLOW, "")
        zone = _call(
            aws,
            'aws route53 create-hosted-zone --name "$DOMAIN" --caller-reference "$DOMAIN"'
            " --query HostedZone.Id --output text",
            DOMAIN=DOMAIN,
        ).rpartition("/")[2]
        (command,) = _COMMANDS.findall((ROOT / "policies" / "README.md").read_text())
        owner_id, repository_id = trusted.numbers if self._immutable else ("", "")
        _call(
            aws,
            command.rstrip(),
            REPOSITORY=trusted.repository,
            SUBJECTS=",".join(
                list_claims(
                    trusted.repository, owner_id, repository_id, [BRANCH], filter(None, [self._environment])
                )
            ),
            OWNER_ID=owner_id,
            REPOSITORY_ID=repository_id,
            REGION=REGION,
            STACK_NAME=STACK,
            BASE_DOMAIN=DOMAIN,
            HOSTED_ZONE_ID=zone,
        )
        view_role = _call(
            aws, f"aws iam list-roles --query \"Roles[?RoleName=='{VIEW_ROLE}'].Arn\" --output text"
        )
        return {
            **({} if self._credentials == "keys" else {"AWS_DEPLOY_ROLE_ARN": ROLE}),
            **({} if self._credentials == "role" else _static_keys(aws)),
            **({"AWS_VIEW_ROLE_ARN": view_role} if view_role else {}),
            "AWS_REGION": REGION,
            "STACK_NAME": STACK,
            "BASE_DOMAIN": DOMAIN,
            "ROUTE53_HOSTED_ZONE_ID": zone,
            "LITELLM_API_KEYS": f"sk-first-{secrets.token_hex(16)},sk-second-{secrets.token_hex(16)}",
            "PROVIDER_CREDENTIALS": self.provider_credentials,
        }


def _static_keys(aws: LocalAws) -> dict[str, str]:
    """Create a user with the deploy role's policies and boundary. Returns its access keys."""
    told = _call(
        aws,
        "aws iam create-user --user-name deployer --permissions-boundary $BOUNDARY >&2\n"
        "aws iam list-attached-role-policies --role-name $ROLE --query AttachedPolicies[].PolicyArn --output text"
        " | xargs -n 1 aws iam attach-user-policy --user-name deployer --policy-arn\n"
        "aws iam create-access-key --user-name deployer"
        " --query AccessKey.[AccessKeyId,SecretAccessKey] --output text",
        ROLE=Names().deploy_role,
        BOUNDARY=f"arn:aws:iam::{ACCOUNT}:policy/{Names().name_policy('deploy-boundary')}",
    )
    return dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), told.split(), strict=True))


def _call(aws: LocalAws, script: str, **variables: str) -> str:
    """Run shell commands with the account's root credentials, and return their output."""
    environ = clean_environ() | aws.environ(REGION)
    environ["PATH"] = f"{environment('rehearsal')}:{environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=ROOT,
        env=environ | variables,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise Unprepared(f"the local account can't be set up:\n{done.stderr.strip()}")
    return done.stdout.strip()


def _reach(aws: LocalAws) -> dict[str, str]:
    """Return the variables that make a job use the local AWS, without credentials."""
    keys = {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    }
    return {name: value for name, value in aws.environ(REGION).items() if name not in keys}


def _configuration(upstream: ScriptedUpstream) -> str:
    """Return a config.yaml with one model, as JSON, which is valid YAML."""
    parameters = {
        "model": f"openai/{upstream.name}",
        "api_base": upstream.base_url,
        "api_key": f"os.environ/{_UPSTREAM_KEY}",
    }
    return json.dumps({"model_list": [{"model_name": upstream.name, "litellm_params": parameters}]})


def _kept(log: Path, name: str) -> Path:
    """Keep a copy of a run's log, and delete the oldest copies."""
    folder = made("logs", "rehearsals")
    path = folder / f"{name}.jsonl"
    shutil.copyfile(log, path)
    for old in sorted(folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime)[:-_LOGS_KEPT]:
        old.unlink(missing_ok=True)
    return path


def _payload(run: Run, inputs: Mapping[str, str], base: str) -> dict[str, Any]:
    """Return the event's payload, limited to what workflows read.

    https://docs.github.com/webhooks/webhook-events-and-payloads

    Args:
        run: the run.
        inputs: the inputs of a workflow_dispatch.
        base: the commit that the pull request is based on.
    """
    event: dict[str, Any] = {"repository": _repository(run.repository), "sender": {"login": "somebody"}}
    if run.event == "push":
        return event | {"ref": run.ref, "after": run.sha}
    if run.event == "workflow_dispatch":
        return event | {"ref": run.ref, "workflow": run.workflow, "inputs": dict(inputs)}
    if run.event == "schedule":
        return event | {"schedule": _CRON, "workflow": run.workflow}
    asked = run.pull_request or PullRequest()
    head = _repository(asked.fork or run.repository) | {"fork": bool(asked.fork)}
    pull_request = {
        "number": asked.number,
        "state": "open",
        "draft": False,
        "merged": False,
        "title": "A change",
        "body": "",
        "user": {"login": (asked.fork or run.repository).split("/")[0], "type": "User"},
        "head": {"ref": asked.branch, "sha": run.sha, "repo": head},
        "base": {"ref": run.branch, "sha": base, "repo": event["repository"]},
    }
    return event | {"action": "synchronize", "number": asked.number, "pull_request": pull_request}


def _repository(full_name: str) -> dict[str, Any]:
    owner, name = full_name.split("/")
    return {
        "name": name,
        "full_name": full_name,
        "default_branch": BRANCH,
        "fork": False,
        "owner": {"login": owner, "name": owner},
    }
