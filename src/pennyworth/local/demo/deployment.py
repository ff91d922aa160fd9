"""Deploys the demo's stack to the local AWS with an unmodified `sam deploy`, and with a custom domain."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.local.aws.server import LocalAws
from pennyworth.pipeline.deploy.parameter_file import parameter_file

STACK = "pennyworth-demo"
DOMAIN = "pennyworth.localhost"
API_DOMAIN = f"api.{DOMAIN}"
"""Many systems resolve it to loopback: https://www.rfc-editor.org/rfc/rfc6761#section-6.3"""

_DEPLOY_SECONDS = 300.0


class DeployFailed(OperationFailed):
    """The stack could not be deployed. The message contains sam's output."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The addresses of the deployed API on this machine. All URLs are OpenAI base URLs, ending in /v1."""

    url: str
    """The plain API URL. It contains the API's ID, so it differs on each run."""
    domain_url: str
    """The URL with the custom domain, which not every system resolves."""
    host: str
    port: int
    """The address to connect to, for both URLs."""
    log_group: str
    """The function's log group."""

    @property
    def base_url(self) -> str:
        """The same URL on each run and on each system, if the domain is the local AWS's front."""
        return f"http://{self.host}:{self.port}/v1"

    @property
    def domain(self) -> str:
        """The custom domain's name."""
        return str(urlsplit(self.domain_url).hostname)


def deploy(aws: LocalAws, template: Path, parameters: Mapping[str, str]) -> Endpoint:
    """Deploy the stack.

    Args:
        aws: the local AWS.
        template: the built template.
        parameters: its parameters, without those of the domain.
    Returns:
        the deployed endpoint.
    Raises:
        DeployFailed: the deployment failed. The message contains sam's output.
    """
    zone = _ask(aws, "zone", DOMAIN)
    parameters = {**parameters, "BaseDomain": DOMAIN, "Route53HostedZoneId": zone}
    log = made("logs") / f"sam-deploy-{os.getpid()}.log"
    try:
        with parameter_file(parameters, made("demo")) as file:
            command: list[str | Path] = [environment("tools") / "sam", "deploy"]
            command += ["--template-file", template]
            command += ["--stack-name", STACK]
            command += ["--parameter-overrides", file]
            command += ["--capabilities", "CAPABILITY_IAM"]
            command += ["--resolve-s3", "--no-confirm-changeset", "--no-progressbar"]
            with Child(command, log=log, env=_environ(aws), cwd=template.parent) as sam:
                try:
                    status = sam.wait(_DEPLOY_SECONDS)
                except subprocess.TimeoutExpired:
                    status = None
                if status != 0:
                    raise DeployFailed(f"sam deploy failed:\n{sam.tail(30)}")
    finally:
        log.unlink(missing_ok=True)
    outputs = _ask(aws, "outputs", STACK)
    here = urlsplit(aws.endpoint)
    api = str(urlsplit(outputs["ApiUrl"]).hostname).partition(".")[0]
    domain = urlsplit(outputs["CustomDomainUrl"])
    return Endpoint(
        url=f"{aws.endpoint}/_aws/execute-api/{api}/v1",
        domain_url=f"http://{domain.hostname}:{here.port}{domain.path}",
        host=str(here.hostname),
        port=int(here.port or 80),
        log_group=outputs["LogGroupName"],
    )


def function_log(aws: LocalAws, endpoint: Endpoint) -> str:
    """Return the last lines of the function's log."""
    return str(_ask(aws, "log", endpoint.log_group))


@contextmanager
def following(aws: LocalAws, endpoint: Endpoint, log: Path) -> Iterator[Child]:
    """Write the function's new log lines to a file as they come, during the block.

    Args:
        aws: the local AWS.
        endpoint: the deployed endpoint.
        log: the file.
    Yields:
        the program that writes them.
    """
    since = int(time.time() * 1000)
    command: list[str | Path] = [environment("tools") / "python", Path(__file__).with_name("aws.py")]
    command += ["follow", endpoint.log_group, str(since)]
    with Child(command, log=log, env=_environ(aws)) as child:
        yield child


def _ask(aws: LocalAws, *words: str) -> Any:
    """Call the local AWS through aws.py, and return its answer."""
    command: list[str | Path] = [environment("tools") / "python", Path(__file__).with_name("aws.py"), *words]
    log = made("logs") / f"aws-{os.getpid()}.log"
    try:
        with Child(command, log=log, env=_environ(aws)) as asked:
            if asked.wait():
                raise DeployFailed(f"a call to the local AWS failed:\n{asked.tail()}")
            return json.loads(asked.tail(1))
    finally:
        log.unlink(missing_ok=True)


def _environ(aws: LocalAws) -> dict[str, str]:
    return {**clean_environ(), **aws.environ(), "TMPDIR": str(made("tmp"))}
