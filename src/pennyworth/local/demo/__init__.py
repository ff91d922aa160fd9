"""The demo: deploys an endpoint to a local AWS emulator, from `sam build` to a model's answer.

Everything ends with the command: the emulator, the functions and the model are guarded child processes. It
writes only to work_dir().
"""

import json
import os
import re
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.log_lines import describe_request
from pennyworth.checks import smoke
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made, shorten, work_dir
from pennyworth.host.processes import Child
from pennyworth.host.progress import say, step
from pennyworth.local.aws import adapter, standin
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.demo import configuration
from pennyworth.local.demo.deployment import API_DOMAIN, Endpoint, deploy, following, function_log
from pennyworth.local.demo.providers import KEY_PREFIX, PROVIDERS, environ
from pennyworth.pipeline.build import Target, sam_build

ENVIRONMENTS = ("tools", "localaws")
_WAYS = {"direct": "directly", "litellm": "through LiteLLM"}
_HOST = "127.0.0.1"
_LOOK_SECONDS = 2.0
_WAIT_SECONDS = 30.0  # time for the function's first start


class DemoFailed(OperationFailed):
    """The demo can't continue. The message says why, and what to do next."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    aws: LocalAws
    endpoint: Endpoint
    key: str
    models: tuple[tuple[str, str], ...]
    """Each model's name, and how requests reach it."""
    config: Path
    """The gateway's configuration."""

    @property
    def log(self) -> Path:
        """The file that `show_requests` writes the function's log to."""
        return made("logs") / f"demo-{self.endpoint.port}.log"

    @contextmanager
    def show_requests(self) -> Iterator[None]:
        """Print a line for each request that is answered during the block."""

        def show(child: Child) -> None:
            for line in child.lines():
                if text := describe_request(line):
                    say(f"  {text}")

        with following(self.aws, self.endpoint, self.log) as child:
            threading.Thread(target=show, args=(child,), daemon=True, name="requests").start()
            yield

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


def check_port(port: int) -> None:
    """Check that a port can be listened on.

    Raises:
        DemoFailed: it can't.
    """
    try:
        socket.create_server((_HOST, port)).close()
    except OSError as error:
        raise DemoFailed(
            f"The demo can't listen on port {port} ({os.strerror(error.errno or 0).lower()})."
            " Choose another with --port, or any free one with --port 0."
        ) from error


@contextmanager
def running(
    provider: str,
    model: str | None = None,
    port: int = 0,
    config: Path | None = None,
    *,
    strict: bool = True,
) -> Iterator[Demo]:
    """Build and deploy the demo, and run the smoke tests.

    Args:
        provider: the provider's name in PROVIDERS.
        model: the model to ask. None: the provider's default.
        port: the port of the local AWS. 0: any free port.
        config: a LiteLLM config file to serve instead of the provider.
        strict: whether each model must answer. If not, a failure is only printed.
    Yields:
        the running demo, after its smoke tests.
    Raises:
        OperationFailed: a step failed. The message says why.
    """
    check_port(port)
    before = _environments()
    with ExitStack() as stack:
        if config:
            served, name = config, "own"
            needs = configuration.find_needs(config, environ())
            variables = needs.variables
        else:
            served, name, needs = made("demo") / f"{provider}.yaml", provider, None
            variables = _start(provider, stack)
            behind = PROVIDERS[provider]
            _write(served, behind.configuration(model or behind.model))
        for wanted in ENVIRONMENTS:
            environment(wanted)
        with step("starting the local AWS") as detail:
            aws = stack.enter_context(LocalAws(port=port, front=API_DOMAIN))
            detail(aws.endpoint)
            stand_in = standin.__file__ in adapter.command()
            detail("a stand-in for the Web Adapter" if stand_in else "the real Web Adapter")
        target = Target.here()
        template = sam_build(target, config=served, litellm=None, out=made("build") / f"demo-{name}")
        key = api_key()
        parameters = {
            **target.parameters(),
            "ApiKeys": key,
            "ConfigHash": "demo",
            "ProviderCredentials": "\n".join(f"{name}={_quote(value)}" for name, value in variables.items()),
        }
        with step("sam deploy") as detail:
            endpoint = deploy(aws, template, parameters)
            detail(endpoint.base_url)
        models = _try(aws, endpoint, key, strict=strict)
        if _environments() != before:
            _say_disk_space()
        lanes = needs.lanes if needs else {found: _lane(found) for found in models}
        ways = tuple((found, _WAYS.get(lanes.get(found, ""), "")) for found in models)
        yield Demo(aws, endpoint, key, ways, served)


def _start(provider: str, stack: ExitStack) -> dict[str, str]:
    """Start a provider's server, if it has one, and return the function's variables to reach the provider."""
    behind = PROVIDERS[provider]
    credentials = behind.variables()
    if provider == "smollm2":
        environment("model")  # before the step below, because this is a step of its own
    with step(behind.step) if behind.step else nullcontext():
        return {**credentials, **stack.enter_context(behind.start())}


def _quote(value: str) -> str:
    """Return a value as .env files hold it."""
    return json.dumps(value, ensure_ascii=False) if re.search(r"[\s#'\"\\]", value) else value


def api_key() -> str:
    """Return this machine's demo API key. Creates it once, readable only by this user."""
    path = made("demo") / "api-key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        key = f"{KEY_PREFIX}{secrets.token_urlsafe(24)}"
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


def _try(aws: LocalAws, endpoint: Endpoint, key: str, *, strict: bool) -> list[str]:
    """Run the smoke tests through the custom domain, and a few at the other URLs.

    Returns:
        the models that it lists.
    """
    through_domain = smoke.Endpoint(endpoint.domain_url, key, connect=(endpoint.host, endpoint.port))
    plain = smoke.Endpoint(endpoint.url, key)
    base = smoke.Endpoint(endpoint.base_url, key)
    names = {check.name for check in smoke.CHECKS}

    def report(result: smoke.Result) -> None:
        if result.status != "skipped":
            say(f"    {smoke.format_line(result)}")

    with step("smoke tests through the custom domain"):
        results = smoke.run(through_domain, wait=_WAIT_SECONDS, report=report)
        _judge(results, aws, endpoint, strict=strict)
    with step("smoke tests at the plain API URL"):
        results = smoke.run(plain, limit=1, skip=names - {"models", "stream"}, report=report)
        _judge(results, aws, endpoint, strict=strict)
    with step("smoke tests at the base URL"):
        results = smoke.run(base, skip=names - {"health", "models"}, report=report)
        _judge(results, aws, endpoint, strict=strict)
    return through_domain.models


def _judge(results: Sequence[smoke.Result], aws: LocalAws, endpoint: Endpoint, *, strict: bool) -> None:
    failed = [result for result in results if result.status == "failed"]
    if failed and not strict and all(result.model for result in failed):
        say("    ! a model does not answer; the demo serves anyway")
        return
    if failed:
        raise DemoFailed(
            f"{len(failed)} smoke tests failed. The end of the function's log:\n\n{function_log(aws, endpoint)}\n\n"
            f"The other logs are in {made('logs')}."
        )


def _environments() -> set[Path]:
    return set(made("env").glob("*/bin"))


def _say_disk_space() -> None:
    """Print how much disk space the project's generated files take."""
    with step(f"disk space that {shorten(work_dir())} takes") as detail:
        # du counts files that are linked several times once
        command = ["du", "-sk", str(work_dir())]
        told = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
        detail(f"{int(told.stdout.split()[0]) / 1024**2:.1f} GB, `make clean` frees it")


def _lane(model: str) -> str:
    # the providers' configurations name them so
    return "litellm" if model.endswith("-litellm") else "direct"


def _write(path: Path, text: str) -> None:
    """Write a file atomically, because another demo may be reading it, and readable only by this user."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
