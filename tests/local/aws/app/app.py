"""A small HTTP server that shows what reaches an app behind Lambda, and answers in every awkward way."""

import base64
import hashlib
import json
import os
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MODE = os.environ.get("APP_MODE", "")
STARTED = time.time()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self):
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = url.path.strip("/").replace("-", "_").rpartition("/")[2]
        getattr(self, f"at_{name}", self.at_echo)()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = handle_any

    def at_health(self):
        if MODE == "unhealthy":
            self.reply(b"not yet", status=503)
        elif MODE == "silent":
            time.sleep(3600)
        else:
            self.reply(b"ok")

    def at_echo(self):
        """What has arrived."""
        print(f"echoing {self.command} {self.path}")
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": [[name, value] for name, value in self.headers.items()],
            "body": base64.b64encode(self.body).decode(),
            "variables": dict(os.environ),
            "cwd": str(Path.cwd()),
            "python": sys.version_info[:2],
            "sys_path": sys.path,
            "pid": os.getpid(),
        }
        self.reply(json.dumps(seen).encode(), {"Content-Type": "application/json"})

    def at_bytes(self):
        """The request's body again, as it is."""
        self.reply(self.body, {"Content-Type": "application/octet-stream"})

    def at_large(self):
        size = int(self.query["size"])
        block = hashlib.sha256(b"pennyworth").digest() * 2048
        self.begin({"Content-Type": "application/octet-stream"})
        while size:
            part = block[: min(size, len(block))]
            self.chunk(part)
            size -= len(part)
        self.end()

    def at_status(self):
        self.reply(b"", {"X-One": "1"}, status=int(self.query["status"]))

    def at_cookies(self):
        self.reply(
            b"baked", [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2, 3; HttpOnly"), ("X-One", "1")]
        )

    def at_several(self):
        self.reply(b"", [("Vary", "Origin"), ("Vary", "Accept")])

    def at_empty_stream(self):
        self.begin({"Content-Type": "text/event-stream"})
        self.end()

    def at_stream(self):
        """A chunk, then nothing until the client has told `gate` that it has it, then the last."""
        self.begin({"Content-Type": "text/event-stream"})
        self.chunk(b"data: first\n\n")
        urllib.request.urlopen(self.query["gate"], timeout=20).close()  # noqa: S310
        self.chunk(b"data: last\n\n")
        self.end()

    def at_pace(self):
        self.begin({"Content-Type": "text/event-stream"})
        for number in range(int(self.query["chunks"])):
            self.chunk(b"data: %d\n\n" % number)
            time.sleep(float(self.query["pause"]))
        self.end()

    def at_break(self):
        """Half of a response."""
        self.begin({"Content-Type": "text/event-stream"})
        self.chunk(b"data: half\n\n")
        time.sleep(0.2)
        self.close_connection = True
        self.connection.close()

    def at_short(self):
        """Fewer bytes than promised."""
        self.reply(b"ten bytes.", {"Content-Length": "20"})
        self.close_connection = True

    def at_die(self):
        print("about to die")
        sys.stdout.flush()
        os._exit(3)

    def at_die_streaming(self):
        self.begin({"Content-Type": "text/event-stream"})
        self.chunk(b"data: half\n\n")
        time.sleep(0.2)
        os._exit(3)

    def at_refuse(self):
        """Close the connection without an answer."""
        self.close_connection = True

    def at_sleep(self):
        time.sleep(float(self.query["seconds"]))
        self.reply(json.dumps({"pid": os.getpid()}).encode(), {"Content-Type": "application/json"})

    def at_events(self):
        """What is not an HTTP request, passed through."""
        self.reply(b'{"event": ' + self.body + b"}", {"Content-Type": "application/json"})

    def reply(self, body, headers=(), status=200):
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        self.send_response(status)
        for name, value in pairs:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in pairs) and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self, headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format, *args):
        pass


if MODE == "dies":
    print("no configuration: giving up")
    sys.exit(7)
sys.stdout.reconfigure(line_buffering=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["AWS_LWA_PORT"])), Handler).serve_forever()
