"""Who calls, by their API keys."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import NamedTuple

from pennyworth.gateway.credentials import LONG_ENOUGH, find_weakness
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.log import log
from pennyworth.gateway.wsgi import Request


class Caller(NamedTuple):
    """Somebody whose key opens the gateway."""

    id: str
    """Tells one key from another in the log, and nothing of the key."""


KEY_HEADERS = ("x-api-key", "api-key", "x-litellm-api-key", "x-goog-api-key")
"""Where clients send a key beside Authorization: Anthropic's, Azure's, LiteLLM's and Google's."""


class Keys:
    """The keys that open the gateway. Without any, it opens to nobody."""

    def __init__(self, keys: Iterable[str], *, public: bool = False) -> None:
        """
        Args:
            keys: as they were given; empty ones don't count.
            public: whether strangers can reach the gateway. Then weak keys open nothing.
        """
        given = {key.strip() for key in keys} - {""}
        weak = {key: weakness for key in given if public and (weakness := find_weakness(key))}
        self.refused = sorted(weak.values())
        """Why some of them open nothing."""
        self.short = sum(public and len(key) < LONG_ENOUGH for key in given - weak.keys())
        """How many are so short that they may be guessed in time."""
        # Digests are of one length, so that comparing them tells nothing of a key's length either.
        self._digests = [_digest(key) for key in given - weak.keys()]

    def __len__(self) -> int:
        return len(self._digests)

    def authenticate(self, request: Request) -> Caller:
        """The caller whose key a request carries: in `Authorization: Bearer KEY`, or in one of KEY_HEADERS.

        Raises:
            ApiError: 401 without a key or with an unknown one, or where no key is configured.
        """
        if not self._digests:
            raise ApiError(
                401,
                "This gateway has no API keys yet, so it refuses every call. Whoever runs it sets LITELLM_API_KEYS.",
                code="no_api_keys_configured",
            )
        sent = (_bare(request.header(name)) for name in ("authorization", *KEY_HEADERS))
        key = next(filter(None, sent), "")
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
        return Caller(presented.hex()[:8])


def report_keys(keys: Keys) -> None:
    """Log which keys are refused or weak."""
    for reason in keys.refused:
        log("error", "API key refused", reason=reason)
    if keys.short:
        log("warning", f"API keys are short: use at least {LONG_ENOUGH} characters", keys=keys.short)


def _bare(value: str) -> str:
    """The key in a header's value, with or without `Bearer`; empty where another scheme is used."""
    scheme, space, token = value.strip().partition(" ")
    if not space:
        return "" if scheme.lower() == "bearer" else scheme
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
