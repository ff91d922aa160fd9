"""A package index that takes files by trusted publishing, as PyPI does."""

import base64
import json
import ssl
import subprocess
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_TOKEN = "pypi-short-lived"
AUDIENCE = "pypi"


class Index:
    """The index on loopback, for the duration of a `with` block."""

    def __init__(self, folder: Path, **claims: str) -> None:
        """
        Args:
            folder: where its certificate is made.
            claims: what the token of a trusted publisher says.
        """
        self.files: dict[str, bytes] = {}
        """What was uploaded, by name."""
        index, minted = self, base64.b64encode(f"__token__:{_TOKEN}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, {"audience": AUDIENCE})

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/_/oidc/mint-token":
                    payload = json.loads(raw)["token"].split(".")[1]
                    presented = json.loads(base64.urlsafe_b64decode(payload + "=="))
                    wanted = {**claims, "aud": AUDIENCE}
                    trusted = wanted.items() <= presented.items()
                    self._answer(200 if trusted else 422, {"success": trusted, "token": _TOKEN})
                elif self.headers.get("Authorization") == f"Basic {minted}":
                    head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                    for part in BytesParser(policy=HTTP).parsebytes(head + raw).iter_parts():
                        if name := part.get_filename():
                            index.files[name] = part.get_payload(decode=True)
                    self._answer(200, {})
                else:
                    self._answer(403, {})

            def _answer(self, status: int, told: Any) -> None:
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        certificate, trusted = folder / "index.pem", folder / "trusted.pem"
        made = ["-keyout", certificate, "-out", trusted, "-subj", "/CN=index"]
        made += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *made]
        subprocess.run(command, check=True, capture_output=True)
        own = trusted.read_text()
        certificate.write_text(certificate.read_text() + own)
        usual = Path(ssl.get_default_verify_paths().cafile or "/nowhere")
        trusted.write_text(own + (usual.read_text() if usual.exists() else ""))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.environ = {
            "UV_PUBLISH_URL": f"https://127.0.0.1:{self._server.server_port}/legacy/",
            "SSL_CERT_FILE": str(trusted),
        }
        """Environment variables that make uv publish there."""

    def __enter__(self) -> "Index":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
