"""The gateway on a socket: waitress around the application."""

import os
import signal
from collections.abc import MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

from pennyworth.gateway import config as configuration
from pennyworth.gateway.app import LARGEST_BODY_BYTES, Gateway
from pennyworth.gateway.keys import Keys
from pennyworth.gateway.log import log


def serve(
    host: str, port: int, environ: MutableMapping[str, str], *, config: Path | None, threads: int
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one, which the log names.
        environ: the process's environment: PENNYWORTH_CONFIG, LITELLM_MODEL_PROVIDER, LITELLM_API_KEYS,
            CORS_ALLOW_ORIGINS, PROVIDER_CREDENTIALS and the providers' own variables.
        config: a LiteLLM config file; None takes what the environment says.
        threads: how many requests are answered at a time.
    Raises:
        ConfigError: the configuration can't be used.
        OSError: the port is taken.
    """
    spread(environ)
    document = configuration.load(config or configuration.find(environ), environ)
    environ.update(document.environment)
    for setting in document.ignored:
        log("warning", "setting ignored", setting=setting)
    keys = Keys([*environ.get("LITELLM_API_KEYS", "").split(","), *document.keys])
    origins = [
        origin.strip() for origin in environ.get("CORS_ALLOW_ORIGINS", "*").split(",") if origin.strip()
    ]

    from waitress.server import create_server  # only where it serves

    server = create_server(
        Gateway(document, keys, origins),
        host=host,
        port=port,
        threads=threads,
        ident=None,
        clear_untrusted_proxy_headers=False,
        # without a look ahead waitress does not notice that a client has hung up
        channel_request_lookahead=1,
        max_request_body_size=LARGEST_BODY_BYTES + 1,
    )
    _prepare(document)
    log("info", "listening", host=host, port=int(getattr(server, "effective_port", port)))

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    server.run()


def _prepare(document: configuration.Config) -> None:
    """What the first request would otherwise wait for, while the socket is open already."""
    from pennyworth.gateway import lanes

    if any(deployment.lane == "direct" for deployment in document.deployments):
        lanes.choose("direct").prepare(document)
    if document.needs_litellm():
        lanes.choose("litellm").prepare(document)


def spread(environ: MutableMapping[str, str]) -> None:
    """Set the variables that PROVIDER_CREDENTIALS holds as dotenv text: `NAME=value`, one a line.

    A stack's parameters can't name variables freely, so all of a stack's provider credentials travel in this one.
    Variables that are set already stay as they are.
    """
    for line in environ.pop("PROVIDER_CREDENTIALS", "").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        environ.setdefault(name.strip(), value)


def main(environ: MutableMapping[str, str] = os.environ) -> Any:
    """What a function's run.sh starts: the server where the Lambda Web Adapter expects it."""
    port = int(environ.get("AWS_LWA_PORT") or environ.get("PORT") or 8080)
    try:
        serve("127.0.0.1", port, environ, config=None, threads=4)
    except (configuration.ConfigError, OSError) as error:
        log("error", "the gateway can't start", reason=str(error))
        return 1
    return 0
