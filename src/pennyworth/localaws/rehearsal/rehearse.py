"""Rehearse a deployment: from a push on GitHub to an endpoint that answers, all of it on this machine.

The account is made ready by policies/bootstrap.yaml, with the very command of policies/README.md; the workflow is the
real one, and so are the template, `sam deploy` and the function; behind it answers a scripted upstream.
"""

import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.places import ROOT, made
from pennyworth.host.scratch import scratch
from pennyworth.localaws.rehearsal import act
from pennyworth.localaws.rehearsal.issuer import Run, TokenIssuer
from pennyworth.localaws.rehearsal.tree import rewritten_tree
from pennyworth.localaws.scripted import Answer, ScriptedUpstream
from pennyworth.localaws.server import ACCOUNT, LocalAws
from pennyworth.pipeline.package import Target
from pennyworth.pipeline.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES

WORKFLOW = ".github/workflows/deploy.yml"
CALLER = ".github/workflows/pennyworth.yml"
REPOSITORY = "example/pennyworth"
CALLED = "elsewhere/endpoint@v1"
BRANCH = "main"
REGION = "us-west-2"
STACK = "pennyworth-rehearsal"
DOMAIN = "rehearsal.example.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{DEPLOY_ROLE}"

_UPSTREAM_KEY = "REHEARSAL_UPSTREAM_KEY"
_PACE_SECONDS = 0.03  # so that a stream can be seen to be one
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Unprepared(RuntimeError):
    """The local account could not be made ready; the message says what refused."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How it went."""

    job: act.Job
    trusted: str
    """The `sub` that the role trusts."""
    presented: str
    """The `sub` of the run's token."""
    secrets: Mapping[str, str]
    """The repository's secrets, as they were made up for it."""
    log: Path
    """act's log, a JSON object a line."""

    @property
    def summary(self) -> str:
        """The job's summary as GitHub would show it: with its secrets masked."""
        text = self.job.summary
        for value in sorted(filter(None, self.secrets.values()), key=len, reverse=True):
            text = text.replace(value, "***")
        return text


def rehearse(
    aws: LocalAws,
    *,
    event: str = "push",
    repository: str = REPOSITORY,
    branch: str = BRANCH,
    immutable: bool = False,
    credentials: Literal["role", "keys", "both"] = "role",
    config: str = "",
    called: bool = False,
    inputs: Mapping[str, str] = MappingProxyType({}),
    without: Collection[str] = (),
    online: bool = False,
    masked: bool = True,
    report: Callable[[act.Step], None] = lambda _: None,
) -> Rehearsal:
    """Run the deployment workflow against a local AWS whose deploy role trusts REPOSITORY's branch BRANCH.

    Args:
        aws: the local AWS, with auth.
        event: push or workflow_dispatch.
        repository: OWNER/NAME of the repository that the run's token is for.
        branch: the branch that it is for.
        immutable: whether GitHub's ids stand in `sub`, on both sides.
        credentials: what the repository's secrets hold: the deploy role's ARN, a user's static keys, or both.
        config: the repository's config.yaml; by default one whose model answers.
        called: let the workflow lie in another repository, CALLED, and this one hold what `pennyworth init` writes.
        inputs: a dispatch's.
        without: secrets that the repository lacks.
        online: fetch the actions of others instead of using stand-ins.
        masked: replace secrets by *** in the log, as GitHub does.
        report: is told of each step as it ends.
    Raises:
        Unprepared: the account could not be made ready.
        act.ActFailed: the workflow could not be run.
    """
    upstream_key = f"sk-upstream-{secrets.token_hex(16)}"
    with (
        scratch("rehearsal") as folder,
        ScriptedUpstream(Answer(pace=_PACE_SECONDS), key=upstream_key) as upstream,
    ):
        tree, workflow, repositories = _trees(folder, called)
        (tree / "config.yaml").write_text(config or _configuration(upstream))
        run = Run(repository, branch, event, workflow, act.commit(tree, repository, branch))
        trusted = Run(REPOSITORY, BRANCH, event, WORKFLOW, run.sha)
        zone = _prepare(aws, trusted, immutable=immutable)
        settings = {
            **({} if credentials == "keys" else {"AWS_DEPLOY_ROLE_ARN": ROLE}),
            **({} if credentials == "role" else _static_keys(aws)),
            "AWS_REGION": REGION,
            "STACK_NAME": STACK,
            "BASE_DOMAIN": DOMAIN,
            "ROUTE53_HOSTED_ZONE_ID": zone,
            "LITELLM_API_KEYS": f"sk-first-{secrets.token_hex(16)},sk-second-{secrets.token_hex(16)}",
            "PROVIDER_CREDENTIALS": f"# for the rehearsal\n{_UPSTREAM_KEY}={upstream_key}\n",
        }
        settings = {name: value for name, value in settings.items() if name not in without}
        target = Target.here()
        with TokenIssuer(run, immutable=immutable) as issuer:
            job = act.run(
                tree,
                workflow,
                {**_payload(run), "inputs": dict(inputs)},
                name=event,
                folder=folder,
                environ={
                    **_reach(aws),
                    **issuer.environ,
                    "PENNYWORTH_WORK_DIR": str(made().resolve()),
                    "PENNYWORTH_TARGET_SYSTEM": target.system,
                    "SAM_CLI_POLL_DELAY": "0.5",  # nobody here throttles it
                },
                secrets=settings,
                variables={
                    "PYTHON_RUNTIME": f"python{target.python}",
                    "ARCHITECTURE": target.architecture,
                },
                repositories=repositories,
                online=online,
                masked=masked,
                report=report,
            )
        log = made("logs") / "rehearsal.jsonl"
        shutil.copyfile(folder / "act.jsonl", log)
        trusts, presents = (one.subject(immutable=immutable) for one in (trusted, run))
        return Rehearsal(job, trusts, presents, settings, log)


def _trees(folder: Path, called: bool) -> tuple[Path, str, dict[str, Path]]:
    """The repository that is pushed to, its workflow, and the repositories that are called."""
    tree = folder / "tree"
    if not called:
        return rewritten_tree(tree), WORKFLOW, {}
    repository, _, ref = CALLED.partition("@")
    said = f"--provider openai --domain {DOMAIN} --branch {BRANCH} --from {repository} --ref {ref}".split()
    tree.mkdir()
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "pennyworth.cli", "init", *said]):
        subprocess.run(
            command,
            cwd=tree,
            env=clean_environ() | {"PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
    return tree, CALLER, {CALLED: rewritten_tree(folder / "called", called=CALLED)}


def _prepare(aws: LocalAws, trusted: Run, *, immutable: bool) -> str:
    """Make the account ready with the command of policies/README.md; the hosted zone's id."""
    zone = _call(
        aws,
        'aws route53 create-hosted-zone --name "$DOMAIN" --caller-reference "$DOMAIN"'
        " --query HostedZone.Id --output text",
        DOMAIN=DOMAIN,
    ).rpartition("/")[2]
    (command,) = _COMMANDS.findall((ROOT / "policies" / "README.md").read_text())
    owner_id, repository_id = trusted.numbers if immutable else ("", "")
    _call(
        aws,
        command,
        REPOSITORY=trusted.repository,
        OWNER_ID=owner_id,
        REPOSITORY_ID=repository_id,
        REGION=REGION,
        STACK_NAME=STACK,
        BASE_DOMAIN=DOMAIN,
        HOSTED_ZONE_ID=zone,
    )
    return zone


def _static_keys(aws: LocalAws) -> dict[str, str]:
    """The keys of a user with the deploy role's policies and boundary, as accounts had them before OIDC."""
    told = _call(
        aws,
        "aws iam create-user --user-name deployer --permissions-boundary $BOUNDARY >&2\n"
        "aws iam list-attached-role-policies --role-name $ROLE --query AttachedPolicies[].PolicyArn --output text"
        " | xargs -n 1 aws iam attach-user-policy --user-name deployer --policy-arn\n"
        "aws iam create-access-key --user-name deployer"
        " --query AccessKey.[AccessKeyId,SecretAccessKey] --output text",
        ROLE=DEPLOY_ROLE,
        BOUNDARY=f"arn:aws:iam::{ACCOUNT}:policy/{MANAGED_POLICIES['deploy-boundary']}",
    )
    return dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), told.split(), strict=True))


def _call(aws: LocalAws, script: str, **variables: str) -> str:
    """Run shell commands with the account's own rights; what they print."""
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
        raise Unprepared(f"the local account can't be made ready:\n{done.stderr.strip()}")
    return done.stdout.strip()


def _reach(aws: LocalAws) -> dict[str, str]:
    """What leads a job to the local AWS, without the keys to it: those it must earn."""
    keys = {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    }
    return {name: value for name, value in aws.environ(REGION).items() if name not in keys}


def _configuration(upstream: ScriptedUpstream) -> str:
    """A config.yaml with one model; JSON is YAML."""
    parameters = {
        "model": f"openai/{upstream.name}",
        "api_base": upstream.base_url,
        "api_key": f"os.environ/{_UPSTREAM_KEY}",
    }
    return json.dumps({"model_list": [{"model_name": upstream.name, "litellm_params": parameters}]})


def _payload(run: Run) -> dict[str, object]:
    """GitHub's description of the event, as far as a workflow reads it."""
    owner, name = run.repository.split("/")
    return {
        "ref": run.ref,
        "after": run.sha,
        "repository": {
            "name": name,
            "full_name": run.repository,
            "default_branch": BRANCH,
            "owner": {"login": owner, "name": owner},
        },
    }
