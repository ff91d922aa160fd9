"""What an operator writes for an upstream's address, a header or a key: mended where that is plain, else refused."""

import re
from urllib.parse import urlsplit

_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/models")
"""What people paste behind a base URL."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2."""


_FRAMING = frozenset(
    ["connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"]
)
"""Headers that say how a request is sent: wrong ones would make somebody else's request of a part of it."""


def parse_base_url(text: str, *, whole: bool = True) -> str:
    """An upstream's base URL, without an endpoint's path and without a slash at the end.

    Args:
        text: as the configuration has it.
        whole: whether requests go to paths below it. LiteLLM makes addresses of its own, with queries too.
    Raises:
        ValueError: it is none; says what to write instead.
    """
    base = text.strip()
    if "${" in base or "$(" in base:
        raise ValueError("has a $ that nothing replaces. Write os.environ/NAME for the whole value")
    if not re.match(r"https?://", base, re.IGNORECASE):
        raise ValueError("must begin with https:// or http://")
    if re.search(r"[^\x21-\x7e]", base):
        raise ValueError("holds a space or a character that no URL can")
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port == 0:
        raise ValueError("is no address: check its host and its port (1 to 65535)")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds credentials. Move them to api_key or extra_headers")
    if not whole:
        return base
    if parts.query or parts.fragment:
        raise ValueError("has a query (?...). Leave it out, and set api_version for Azure's")
    base = base.rstrip("/")
    for path in _ENDPOINTS:
        base = base.removesuffix(path)
    return base.rstrip("/")


def parse_header(name: str, value: object) -> tuple[str, str]:
    """A header that is sent with each request.

    Raises:
        ValueError: it can't be; says why without the value.
    """
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"has {name!r}, which is no name of a header")
    if name.lower() in _FRAMING:
        raise ValueError(f"has {name}, which the gateway sets itself. Leave it out")
    if isinstance(value, dict | list):
        raise ValueError(f"has {name}, which must be text")
    return name, _sendable(str(value), f"has {name}, which ")


def parse_key(text: str) -> str:
    """A key, without what people paste around it.

    Raises:
        ValueError: it holds what no header can; says where without the key.
    """
    key = text.strip()
    if key[:7].lower() == "bearer ":
        key = key[7:].strip()
    if re.search(r"\s", key):
        raise ValueError("holds white space or a line break: paste one key alone")
    return _sendable(key)


def _sendable(text: str, what: str = "") -> str:
    """Text as a header's value (RFC 9110, 5.5)."""
    text = text.strip()
    if found := re.search(r"[^\t\x20-\x7e\x80-\xff]", text):
        raise ValueError(
            f"{what}holds a character that no header can (U+{ord(found[0]):04X}, at {found.start() + 1}):"
            " paste it again"
        )
    return text
