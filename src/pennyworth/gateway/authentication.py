"""Who calls, and with which settings."""

from pennyworth.gateway.callers import Caller
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.settings import Settings, SettingsProvider
from pennyworth.gateway.wsgi import Request


def authenticate(request: Request, provider: SettingsProvider) -> tuple[Caller, Settings]:
    """Who calls, and the settings that hold for the whole request.

    A key that the settings at hand do not know may be newer than they are.

    Raises:
        ApiError: 401, or 503 where there are no settings yet.
    """
    settings = provider()
    try:
        return settings.keys.authenticate(request), settings
    except ApiError:
        newer = provider(refresh=True)
        if newer is settings:
            raise
        return newer.keys.authenticate(request), newer
