"""Cross-origin requests, so that pages in a browser may call: https://fetch.spec.whatwg.org/#http-cors-protocol."""

from collections.abc import Iterable, Set

from pennyworth.gateway.wsgi import Headers, Request


def cors_headers(request: Request, origins: Set[str], methods: Iterable[str]) -> Headers:
    """CORS headers, for every response to another origin: a browser must be able to read errors too.

    Args:
        request: what is answered; it names its origin.
        origins: the web origins that may call; `*` for all.
        methods: what the request's path takes.
    """
    origin = request.header("origin")
    anyone = "*" in origins
    if not anyone and origin not in origins:
        return [("Vary", "Origin")]
    headers = [("Access-Control-Allow-Origin", "*" if anyone else origin)]
    if not anyone:
        headers.append(("Vary", "Origin"))
    if request.method == "OPTIONS":
        asked = request.header("access-control-request-headers") or "authorization, content-type"
        headers += [
            ("Access-Control-Allow-Methods", ", ".join([*methods, "OPTIONS"])),
            ("Access-Control-Allow-Headers", asked),
            ("Access-Control-Max-Age", "86400"),
        ]
    else:
        headers.append(("Access-Control-Expose-Headers", "*"))
    return headers
