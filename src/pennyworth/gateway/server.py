"""The gateway on a socket: waitress around the application."""

import os
import sys
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pennyworth.gateway import config as configuration
from pennyworth.gateway.app import Gateway
from pennyworth.gateway.callers import report_keys
from pennyworth.gateway.credentials import API_KEYS, read_api_keys
from pennyworth.gateway.log import log
from pennyworth.gateway.settings import PUBLIC, Settings, SettingsProvider, constant, expand_credentials

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    host: str, port: int, environ: MutableMapping[str, str], *, config: Path | None, threads: int
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one, which the log names.
        environ: the process's environment: PENNYWORTH_CONFIG, LITELLM_MODEL_PROVIDER, LITELLM_API_KEYS,
            CORS_ALLOW_ORIGINS, PROVIDER_CREDENTIALS and the providers' own variables; PENNYWORTH_PARAMETERS, a path
            in AWS Systems Manager's Parameter Store below which further variables are kept; and
            PENNYWORTH_DRAIN_SECONDS, how long running requests may go on after a stop, 30 by default.
        config: a LiteLLM config file; None takes what the environment says.
        threads: how many requests are answered at a time.
    Raises:
        ConfigError: the configuration can't be used.
        OSError: the port is taken.
    """
    problems = (
        *expand_credentials(environ),
        *read_api_keys(environ.get(API_KEYS, ""), stored=False).problems,
    )
    for problem in problems:
        log("warning", "problem in the credentials", reason=str(problem))
    drain_seconds = configuration.read_seconds(environ, "PENNYWORTH_DRAIN_SECONDS", 30)
    if "AWS_LAMBDA_FUNCTION_NAME" in environ or host not in _LOOPBACK:
        environ[PUBLIC] = "yes"
    document = configuration.document(config or configuration.find(environ), environ)
    settings = Settings.of(document, environ)
    environ.update(settings.config.environment)
    source = _source(document, settings, environ)
    _report(settings, environ)
    origins = [
        origin.strip() for origin in environ.get("CORS_ALLOW_ORIGINS", "*").split(",") if origin.strip()
    ]

    from pennyworth.gateway import listener  # waitress is wanted only where it serves

    gateway = Gateway(source, origins)
    follows = bool(environ.get("PENNYWORTH_PARAMETERS", "").strip())
    server = listener.create(gateway, host, port, threads, None if follows else settings.keys)
    _prepare(settings)
    # beside the first requests, which wait for nothing that is said of the file
    threading.Thread(target=_report_keys, args=(document, settings), name="report keys", daemon=True).start()
    port = int(getattr(server, "effective_port", port))
    names = sorted({deployment.name for deployment in settings.config.deployments})

    def tell() -> None:
        log("info", "listening", host=host, port=port, models=len(names), keys=len(settings.keys))
        if sys.stdout.isatty():
            print(f"\nServing {', '.join(names)} at http://{host}:{port}/v1. Stop with Ctrl-C.\n", flush=True)

    listener.run(server, tell, gateway.end_streams, drain_seconds)


def _report(settings: Settings, environ: Mapping[str, str]) -> None:
    """Say what of the configuration is not in effect, and why."""
    config, follows = settings.config, bool(environ.get("PENNYWORTH_PARAMETERS", "").strip())
    for problem in config.problems:
        log("error", "setting refused", reason=str(problem))
    for name in () if follows else config.unset:
        log("warning", "environment variable not set", variable=name)
    report_keys(settings.keys)
    if not settings.keys and not follows:
        log("warning", "no API keys: every call is refused. Set LITELLM_API_KEYS")
    for upstream in () if follows else settings.upstreams():
        if upstream.problem and not upstream.deployment.missing:
            log("warning", "model can't be called", model=upstream.deployment.name, reason=upstream.problem)


def _report_keys(document: Mapping[str, Any], settings: Settings) -> None:
    """Say which of the file's keys do something else here than with LiteLLM."""
    from pennyworth.gateway import grades

    accepted = grades.read_acknowledged(document)
    lanes = {each.index: each.lane for each in settings.config.deployments}
    told: dict[tuple[str, str], list[str]] = {}
    for key in grades.list_keys(document, lanes):
        report = _REPORTS.get(key.row.grade)
        if key.row.protects and key.path not in accepted:
            report = "error", "settings that protect have no effect: `pennyworth config check` says more"
        if report:
            told.setdefault(report, []).append(key.path)
    for (level, message), names in told.items():
        log(level, message, settings=list(dict.fromkeys(names)))


_REPORTS = {
    "approximate": ("info", "settings act differently: `pennyworth config check` says how"),
    "manual": ("warning", "settings have no effect: `pennyworth config check` says what to do instead"),
    "unsupported": ("warning", "settings have no effect: `pennyworth config check` says why"),
}
"""The log's level and message, by grade."""


def _source(
    document: Mapping[str, Any], settings: Settings, environ: MutableMapping[str, str]
) -> SettingsProvider:
    """What gives each request its settings: always the same, unless they follow parameters."""
    path = environ.get("PENNYWORTH_PARAMETERS", "").strip()
    if not path:
        return constant(settings)
    from pennyworth.gateway import parameters  # not on the way of those who have none

    return parameters.follow(path, document, environ)


def _prepare(settings: Settings) -> None:
    """What the first request would otherwise wait for, while the socket is open already."""
    from pennyworth.gateway import lanes

    for lane in sorted({deployment.lane for deployment in settings.config.deployments}):
        lanes.choose(lane).prepare(settings)


def main(environ: MutableMapping[str, str] = os.environ) -> Any:
    """What a function's run.sh starts: the server where the Lambda Web Adapter expects it."""
    port = int(environ.get("AWS_LWA_PORT") or environ.get("PORT") or 8080)
    try:
        serve("127.0.0.1", port, environ, config=None, threads=4)
    except (configuration.ConfigError, OSError) as error:
        log("error", "the gateway can't start", reason=str(error))
        return 1
    return 0
