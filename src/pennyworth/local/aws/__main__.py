"""The local AWS emulator: `python -m pennyworth.local.aws FOLDER`, in the environment `localaws`.

Listens on 127.0.0.1, writes its port to FOLDER/port, and serves until it is stopped. It and the functions write
only to FOLDER and, for state to keep, to --state. To start it, use `pennyworth.local.aws.server.LocalAws`.
"""

import argparse
import asyncio
import os
import signal
import socket
from pathlib import Path

from pennyworth.local.aws.server import ACCOUNT


def main() -> None:
    """Start MiniStack with our additions, and serve."""
    parser = argparse.ArgumentParser(prog="python -m pennyworth.local.aws", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 for any free port")
    parser.add_argument("--auth", action="store_true", help="check signatures, IAM policies and OIDC trust")
    parser.add_argument("--state", type=Path, help="keep the state of the account in this folder")
    parser.add_argument("--record", type=Path, help="write the calls that IAM checks to this file")
    parser.add_argument("--front", default="", help="the custom domain to serve at its own address too")
    options = parser.parse_args()

    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        parser.exit(1, f"can't listen on port {options.port}: {os.strerror(error.errno or 0)}\n")
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ.update(_settings(options.folder, endpoint, auth=options.auth, state=options.state))
    port = options.folder / "port"
    port.with_suffix(".new").write_text(endpoint.rpartition(":")[2])
    port.with_suffix(".new").rename(port)
    asyncio.run(_serve(listener, options.folder, endpoint, options.record, options.front))


def _settings(folder: Path, endpoint: str, *, auth: bool, state: Path | None) -> dict[str, str]:
    """Set MiniStack's environment variables. It reads some on import."""
    scratch = folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    kept = (
        {"PERSIST_STATE": "1", "STATE_DIR": str(state), "S3_PERSIST": "1", "S3_DATA_DIR": str(state / "s3")}
        if state
        else {"PERSIST_STATE": "0", "S3_DATA_DIR": str(scratch / "s3")}
    )
    return {
        "TMPDIR": str(scratch),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": endpoint.rpartition(":")[2],
        "AWS_ENDPOINT_URL": endpoint,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,  # requests for custom domains are recognised by their Host header
        "AUTH": str(auth).lower(),
        **kept,
    }


async def _serve(
    listener: socket.socket, folder: Path, endpoint: str, record: Path | None, front: str
) -> None:
    # imported here, because MiniStack reads its settings on import
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    from pennyworth.local.aws import emulator
    from pennyworth.local.aws.functions import Functions

    emulator.apply(Functions(folder / "functions"), endpoint, record, front)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.2
    config.h11_max_incomplete_size = 128 * 1024
    await serve(app, config, shutdown_trigger=ended.wait)
    os._exit(0)  # threads may still wait for functions, whose processes end with this one


if __name__ == "__main__":
    main()
