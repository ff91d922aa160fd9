"""Credentials from AWS Systems Manager's Parameter Store, read at start and again while the gateway runs.

Imported only where the environment names a path. The parameters below it are named as variables are (`OPENAI_API_KEY`,
`LITELLM_API_KEYS`), and win over variables of the same name: a key that was replaced or taken away there must not go on
from a place that nobody thinks of.
"""

import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from pennyworth.gateway.aws.client import AwsError, Client
from pennyworth.gateway.callers import report_keys
from pennyworth.gateway.config import ConfigError, read_seconds
from pennyworth.gateway.credentials import API_KEYS, RESERVED, read_api_keys
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.log import log
from pennyworth.gateway.settings import Settings, expand_credentials

REFRESH_SECONDS = 300.0
_PAUSE_SECONDS = 30.0
"""At least so long between a read that failed and the next, or any and one in doubt."""
_LIMIT = 3
"""How many refreshes old settings may be before a request waits for newer ones."""

UNTIL = ".until-"
"""What stands between a key's label and the last day (UTC, such as 2026-12-31) on which it opens."""

Values = dict[str, str]


def follow(path: str, document: Mapping[str, Any], environ: MutableMapping[str, str]) -> "Followed":
    """Begin to read the parameters below a path, in the background.

    Args:
        path: such as /endpoint/credentials.
        document: the configuration, for which they are read.
        environ: the process's environment; it takes them, because providers' own libraries look there.
            PENNYWORTH_REFRESH_SECONDS is how long they hold.
    Raises:
        ConfigError: that is no number of seconds.
    """
    every = read_seconds(environ, "PENNYWORTH_REFRESH_SECONDS", REFRESH_SECONDS)
    client = Client(environ)
    applied = _Environment(environ)

    def settings(values: Values) -> Settings:
        made = Settings.of(document, applied.under(values))
        applied.take(values, made.config.environment)
        return made

    followed = Followed(lambda: read(client, path), settings, every)
    followed.begin()
    return followed


def read(client: Client, path: str) -> Values:
    """The parameters below a path, by name. Those below a name (`LITELLM_API_KEYS/PHONE`) are further values of it.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html

    Raises:
        AwsError: they can't be read.
    """
    path = f"/{path.strip('/')}"
    # ten a page, which is what AWS allows
    request = {"Path": path, "Recursive": True, "WithDecryption": True, "MaxResults": 10}
    values: Values = {}
    while True:
        page = client.call("ssm", "GetParametersByPath", request)
        for parameter in page.get("Parameters", []):
            name, _, label = parameter["Name"].removeprefix(f"{path}/").partition("/")
            if has_expired(label):
                continue
            value = parameter["Value"]
            if name == API_KEYS:
                value = ",".join(read_api_keys(value, stored=False).keys)
            values[name] = ",".join(filter(None, [values.get(name), value]))
        if not page.get("NextToken"):
            break
        request["NextToken"] = page["NextToken"]
    for problem in expand_credentials(values):
        log("warning", "problem in the credentials", reason=str(problem))
    for name in values.keys() & RESERVED:
        log("warning", "parameter ignored: the name is the function's own", name=name)
        del values[name]
    return values


def has_expired(label: str) -> bool:
    """Whether the last day on which a key opens, which its label may name, is over."""
    _, until, day = label.rpartition(UNTIL)
    return bool(until) and day < time.strftime("%Y-%m-%d", time.gmtime())


class Followed:
    """Settings that follow the parameters. Calling it gives a request the present ones."""

    def __init__(
        self, read: Callable[[], Values], settings: Callable[[Values], Settings], every: float
    ) -> None:
        """
        Args:
            read: reads the parameters; raises AwsError.
            settings: makes settings of them; raises ConfigError.
            every: seconds after which they are read again.
        """
        self._read = read
        self._make = settings
        self._every = every
        self._reading = threading.Lock()
        self._values: Values | None = None
        self._known: Settings | None = None
        # Wall-clock time: the other one may stand still while a function is frozen between requests.
        self._read_at = 0.0
        self._failed_at = 0.0
        self._failure = ""
        self._reads = 0

    def begin(self) -> None:
        """Read in the background, unless that is being done."""
        if self._reading.acquire(blocking=False):
            threading.Thread(target=self._run, name="read parameters", daemon=True).start()

    def __call__(self, *, refresh: bool = False) -> Settings:
        """The settings for a request. See `SettingsProvider`.

        It waits only where none are known yet; where they are so old that keys taken away meanwhile must not open; and
        in doubt, so that a new key opens soon, but not each time: wrong keys are cheap to send.

        Raises:
            ApiError: 503, where none are known and they can't be read.
        """
        now = time.time()
        known = self._known
        if known:
            age = abs(now - self._read_at)
            if min(age, abs(now - self._failed_at)) < min(self._every, _PAUSE_SECONDS):
                return known
            if not refresh and age < self._every:
                return known
            if not refresh and age < _LIMIT * self._every:
                self.begin()
                return known
        reads = self._reads
        with self._reading:
            if reads == self._reads:  # nobody has read while this request waited
                self._refresh()
        if self._known is None:
            raise ApiError(
                503,
                f"The gateway could not read its credentials from AWS Systems Manager ({self._failure}). Try again in a"
                " few seconds; if it stays so, whoever runs the gateway finds the reason in its log.",
                code="credentials_unavailable",
                headers=[("Retry-After", "2")],
            )
        return self._known

    def _run(self) -> None:
        try:
            self._refresh()
        finally:
            self._reading.release()

    def _refresh(self) -> None:
        """Read, and replace the settings where something has changed. What is known stays where that fails."""
        began = time.monotonic()
        try:
            values = self._read()
            if values != self._values:
                self._known = self._make(values)
                report_keys(self._known.keys)
        except (AwsError, ConfigError) as error:
            self._failed_at = time.time()
            self._failure = error.code if isinstance(error, AwsError) else "they do not fit the configuration"
            consequence = (
                "the previous ones stay" if self._known else "requests are refused until they can be"
            )
            log("error", f"the parameters could not be read; {consequence}", reason=str(error))
            return
        finally:
            self._reads += 1
        before = self._values
        self._values = values
        self._read_at, self._failed_at = time.time(), 0.0
        if before != values:
            changed = {name for name, value in values.items() if (before or {}).get(name) != value}
            log(
                "info",
                "parameters read",
                ms=round((time.monotonic() - began) * 1000),
                changed=sorted(changed),
                gone=sorted((before or {}).keys() - values.keys()),
            )


class _Environment:
    """The process's environment with the parameters laid over what was there before them."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self._own = dict(environ)
        self._laid: set[str] = set()

    def under(self, values: Values) -> dict[str, str]:
        """What the environment was at first, with some parameters over it."""
        return {**self._own, **values}

    def take(self, values: Values, further: Mapping[str, str]) -> None:
        """Put parameters, and a configuration's own variables, in the place of those that were put there before."""
        wanted = {**values, **further}
        for name in self._laid - wanted.keys():
            if name in self._own:
                wanted[name] = self._own[name]
            else:
                self._environ.pop(name, None)
        self._environ.update(
            {name: value for name, value in wanted.items() if self._environ.get(name) != value}
        )
        self._laid = set(values) | set(further)
