"""The demo: deploys an endpoint to a local AWS emulator, from `sam build` to a model's answer.

Everything ends with the command: the emulator, the functions and the model are guarded child processes. It
writes only to .pennyworth/ in the project's folder.
"""

import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pennyworth.checks import smoke
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.progress import say, step
from pennyworth.local.aws import adapter, standin
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.demo.deployment import Endpoint, deploy, function_log
from pennyworth.local.demo.providers import PROVIDERS
from pennyworth.pipeline.build import Target, sam_build

ENVIRONMENTS = ("tools", "localaws")
_LOOK_SECONDS = 2.0
_WAIT_SECONDS = 30.0  # time for the function's first start


class DemoFailed(OperationFailed):
    """The demo can't continue. The message says why, and what to do next."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    endpoint: Endpoint
    key: str
    models: tuple[tuple[str, str], ...]
    """Each model's name, and how requests reach it."""
    config: Path
    """The gateway's configuration."""

    def wait(self) -> None:
        """Serve until interrupted.

        Raises:
            DemoFailed: the local AWS has stopped.
        """
        while True:
            time.sleep(_LOOK_SECONDS)
            try:
                socket.create_connection((self.endpoint.host, self.endpoint.port), _WAIT_SECONDS).close()
            except OSError as error:
                raise DemoFailed(f"the local AWS has stopped. The logs are in {made('logs')}.") from error


@contextmanager
def running(provider: str, model: str | None = None, port: int = 0) -> Iterator[Demo]:
    """Build and deploy the demo, and run the smoke tests.

    Args:
        provider: the provider's name in PROVIDERS.
        model: the model to ask. None: the provider's default.
        port: the port of the local AWS. 0: any free port.
    Yields:
        the running demo, after its smoke tests.
    Raises:
        OperationFailed: a step failed. The message says why.
    """
    behind = PROVIDERS[provider]
    name = model or behind.model
    credentials = behind.variables()
    with ExitStack() as stack:
        for wanted in (*ENVIRONMENTS, *(["model"] if provider == "smollm2" else [])):
            environment(wanted)
        with step(behind.step) if behind.step else nullcontext():
            variables = {**credentials, **stack.enter_context(behind.start())}
        with step("starting the local AWS") as detail:
            aws = stack.enter_context(LocalAws(port=port))
            detail(aws.endpoint)
            stand_in = standin.__file__ in adapter.command()
            detail("a stand-in for the Web Adapter" if stand_in else "the real Web Adapter")
        config = made("demo") / f"{provider}.yaml"
        _write(config, behind.configuration(name))
        target = Target.here()
        template = sam_build(target, config=config, litellm=None, out=made("build") / f"demo-{provider}")
        key = api_key()
        parameters = {
            **target.parameters(),
            "ApiKeys": key,
            "ConfigHash": "demo",
            "ProviderCredentials": "\n".join(f"{name}={value}" for name, value in variables.items()),
        }
        with step("sam deploy") as detail:
            endpoint = deploy(aws, template, parameters)
            detail(endpoint.domain_url)
        models = _try(aws, endpoint, key)
        yield Demo(endpoint, key, tuple((found, _lane(found)) for found in models), config)


def api_key() -> str:
    """Return this machine's demo API key. Creates it once, readable only by this user."""
    path = made("demo") / "api-key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        key = f"sk-demo-{secrets.token_urlsafe(24)}"
        _write(path, f"{key}\n")
        return key


def offers(provider: str) -> list[str]:
    """Return a hint for each other provider whose credentials are in the environment."""
    return [
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} set. To use {other.title}:"
        f" make demo ARGS='--provider {name}'"
        for name, other in PROVIDERS.items()
        if name != provider and (names := other.credentials_here())
    ]


def _try(aws: LocalAws, endpoint: Endpoint, key: str) -> list[str]:
    """Run the smoke tests through the custom domain, and a few at the plain API URL.

    Returns:
        the models that answered.
    """
    connect = (endpoint.host, endpoint.port)
    through_domain = smoke.Endpoint(endpoint.domain_url, key, connect=connect)
    plain = smoke.Endpoint(endpoint.url, key)

    def report(result: smoke.Result) -> None:
        if result.status != "skipped":
            say(f"    {smoke.format_line(result)}")

    with step("smoke tests through the custom domain"):
        results = smoke.run(through_domain, wait=_WAIT_SECONDS, report=report)
        _judge(results, aws, endpoint)
    with step("smoke tests at the plain API URL"):
        others = {check.name for check in smoke.CHECKS} - {"models", "stream"}
        results = smoke.run(plain, limit=1, skip=others, report=report)
        _judge(results, aws, endpoint)
    return through_domain.models


def _judge(results: Sequence[smoke.Result], aws: LocalAws, endpoint: Endpoint) -> None:
    if not smoke.all_passed(results):
        failed = sum(result.status == "failed" for result in results)
        raise DemoFailed(
            f"{failed} smoke tests failed. The end of the function's log:\n\n{function_log(aws, endpoint)}\n\n"
            f"The other logs are in {made('logs')}."
        )


def _lane(model: str) -> str:
    # the providers' configurations name them so
    return "through LiteLLM" if model.endswith("-litellm") else "directly"


def _write(path: Path, text: str) -> None:
    """Write a file atomically, because another demo may be reading it, and readable only by this user."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
