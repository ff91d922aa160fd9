"""The proxy that the usual environment variables name for an address."""

import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)
    """What it is sent as Proxy-Authorization, where it wants credentials."""

    def headers(self) -> dict[str, str]:
        """What a request through it carries beside its own headers."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy for an address, as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say (either case)."""
    names = {f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"}
    if not names & os.environ.keys():
        return None
    from urllib.request import getproxies, proxy_bypass  # only where there is one: it costs start-up time

    proxies = getproxies()
    url = proxies.get(scheme) or proxies.get("all")
    if not url or proxy_bypass(f"{host}:{port}"):
        return None
    parts = urlsplit(url if "//" in url else f"//{url}")
    authorization = ""
    if parts.username:
        from base64 import b64encode

        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = f"Basic {b64encode(credentials).decode()}"
    return Proxy(parts.hostname or "", parts.port or 8080, authorization)
