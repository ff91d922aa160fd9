"""Reads the domain that people type, paste or copy from their browser."""

import re
from urllib.parse import urlsplit

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST = 253 - len("api.")


class WrongDomain(ValueError):
    """It can't be read as a domain. The message says why."""


def read_domain(text: str) -> str:
    """Return a domain in the form that Route 53 has: example.com for https://API.Example.com/.

    Args:
        text: the domain, maybe with a scheme, a leading `api.`, capitals, or a slash or dot at its end. Empty: none.
    Raises:
        WrongDomain: it is no domain.
    """
    typed = text.strip()
    if not typed:
        return ""
    try:
        parts = urlsplit(typed if "://" in typed else f"//{typed}")
        port = parts.port
    except ValueError as error:
        raise WrongDomain(f"{typed} is not a domain: {error}. {_LIKE}") from None
    for found, what in (
        (parts.path.strip("/") or parts.query or parts.fragment, "a path"),
        ("@" in parts.netloc, "a user"),
        (port is not None or parts.netloc.endswith(":"), "a port"),
    ):
        if found:
            raise WrongDomain(f"{typed} is not a domain: it has {what}. {_LIKE}")
    name = (parts.hostname or "").rstrip(".")
    if not name.isascii():
        raise WrongDomain(
            f"{typed} has letters that DNS writes in another way, beginning with xn--. Use that form."
        )
    if name.startswith("api.") and "." in name.removeprefix("api."):
        name = name.removeprefix("api.")
    labels = name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or len(name) > _LONGEST:
        raise WrongDomain(f"{typed} is not a domain. {_LIKE}")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise WrongDomain(f"{typed} is not a domain: {label or 'an empty part'} can't be in one. {_LIKE}")
    return name


_LIKE = "Give it like example.com"
