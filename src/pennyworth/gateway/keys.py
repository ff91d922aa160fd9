"""Who may call: the API keys of the gateway's own users."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth.gateway.errors import ApiError


class Keys:
    """The keys that open the gateway. Without any, it opens to nobody."""

    def __init__(self, keys: Iterable[str]) -> None:
        # Digests are of one length, so that comparing them tells nothing of a key's length either.
        self._digests = [_digest(key) for key in {key.strip() for key in keys} if key]

    def check(self, environ: Mapping[str, Any]) -> None:
        """Let a request in or refuse it.

        Args:
            environ: the WSGI environment; the key stands in `Authorization: Bearer KEY` or `x-api-key: KEY`.
        Raises:
            ApiError: 401 without a key or with an unknown one, or where no key is configured.
        """
        if not self._digests:
            raise ApiError(
                401,
                "This gateway has no API keys yet, so it refuses every call. Whoever runs it sets LITELLM_API_KEYS.",
                code="no_api_keys_configured",
            )
        scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else ""
        key = key or str(environ.get("HTTP_X_API_KEY", "")).strip()
        if not key:
            raise ApiError(
                401,
                "No API key was sent. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
                code="missing_api_key",
                headers=[("WWW-Authenticate", "Bearer")],
            )
        presented = _digest(key)
        known = False
        for digest in self._digests:  # all of them: the time taken tells not which one fits
            known |= hmac.compare_digest(digest, presented)
        if not known:
            raise ApiError(
                401,
                "The API key is not one of this gateway's. Check it for missing characters, or ask for a new one.",
                code="invalid_api_key",
                headers=[("WWW-Authenticate", "Bearer")],
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
