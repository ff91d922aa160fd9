"""A stack's credentials: SecureString parameters below /STACK/credentials, which its function reads.

They are encrypted with the account's AWS managed key for the Parameter Store (aws/ssm), which is free.
https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
"""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pennyworth.aws.errors import AWS_FAILURES, LOG_IN, is_denied, lacks_credentials, read_error_code
from pennyworth.aws.stack import Stack
from pennyworth.gateway.credentials import (
    ADVICE,
    API_KEYS,
    PROVIDER_CREDENTIALS,
    RESERVED,
    VALUE_BYTES,
    Problem,
    explain_refusal,
    is_variable,
    read_api_keys,
    read_provider_credentials,
)
from pennyworth.gateway.parameters import UNTIL, has_expired
from pennyworth.host.errors import OperationFailed

Outcome = Literal["written", "unchanged", "kept", "removed"]

_LABEL = re.compile(r"[A-Za-z0-9_.-]+")

_PART = f"{API_KEYS}/part/"
"""What the names of the second parameter with the secret's API keys, and of each further one, begin with. A label
contains no slash, so that no other key has such a name."""

# The description of a parameter's version says who wrote it.
_BY_PIPELINE = "From the repository's secrets"
_BY_HAND = "By hand"

_SHOWN_CHARACTERS = 4


class CredentialsFailed(OperationFailed):
    """An operation failed; the message says why and contains no secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential, stored as a parameter."""

    name: str
    """The name below the path, such as OPENAI_API_KEY or LITELLM_API_KEYS/20261123-183000."""
    changed: datetime
    value: str = field(repr=False)

    def list_endings(self) -> list[str]:
        """List the last characters of its value, or of each of its API keys, to tell them apart."""
        values = _read_keys(self.value) if _holds_keys(self.name) else [self.value]
        return [_shorten(value) for value in values]


class Credentials:
    """The credentials of a stack, which need not exist yet."""

    def __init__(self, stack: str, region: str) -> None:
        """
        Args:
            stack: the stack's name.
            region: the stack's region.
        Raises:
            CredentialsFailed: there is no AWS profile of the name that the environment says.
        """
        self.path = f"/{stack}/credentials"
        # AWS allows only a few write calls per second
        patient = Config(retries={"mode": "standard", "max_attempts": 8})
        with _explain_failures():
            self._ssm: Any = boto3.client("ssm", region_name=region, config=patient)

    def fetch_all(self) -> dict[str, Credential]:
        """Fetch all credentials.

        Returns:
            the credentials by name.
        Raises:
            CredentialsFailed: AWS rejects the call.
        """
        with _explain_failures():
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=self.path, Recursive=True, WithDecryption=True
            )
            found = [parameter for page in pages for parameter in page["Parameters"]]
        names = {one["Name"].removeprefix(f"{self.path}/"): one for one in found}
        return {
            name: Credential(name, one["LastModifiedDate"], one["Value"])
            for name, one in sorted(names.items())
        }

    def set(self, name: str, value: str) -> None:
        """Create or replace a credential.

        Args:
            name: the name.
            value: the value. API keys are stored with commas between them.
        Raises:
            CredentialsFailed: the name or the value can't be used, or AWS rejects the call.
        """
        check_name(name)
        problems: tuple[Problem, ...] = ()
        if _holds_keys(name):
            read = read_api_keys(value)
            value, problems = ",".join(read.keys), read.problems
        elif name == PROVIDER_CREDENTIALS:
            problems = read_provider_credentials(value).problems
        if problems:
            raise CredentialsFailed(f"{name} can't be used", ADVICE, "\n".join(map(str, problems)))
        if not value.strip():
            raise CredentialsFailed(f"{name} is empty")
        if problem := explain_refusal(value):
            more = f". Store some of the keys as {API_KEYS}/LABEL" if _holds_keys(name) else ""
            raise CredentialsFailed(f"{name} can't be stored: {problem}{more}")
        self._put(name, value, _BY_HAND)

    def _put(self, name: str, value: str, origin: str) -> None:
        """Create or replace a parameter.

        Args:
            name: the name below the path.
            value: the value.
            origin: who sets it, as the description of the parameter's version.
        Raises:
            CredentialsFailed: AWS rejects the call.
        """
        with _explain_failures(value):
            self._ssm.put_parameter(
                Name=f"{self.path}/{name}",
                Value=value,
                Type="SecureString",
                Overwrite=True,
                Description=origin,
            )

    def create_key(self, label: str = "") -> tuple[str, str]:
        """Create an API key. The others stay valid.

        Args:
            label: the label of the key; by default the time.
        Returns:
            the credential's name, and the key.
        Raises:
            CredentialsFailed: the label exists, or AWS rejects a call.
        """
        name = f"{API_KEYS}/{label or f'{datetime.now(UTC):%Y%m%d-%H%M%S}'}"
        if name in self.fetch_all():
            raise CredentialsFailed(f"{name} already exists. Choose another label, or remove that key first")
        key = _generate_key()
        self.set(name, key)
        return name, key

    def rotate_key(self, label: str, until: date) -> tuple[str, str]:
        """Replace an API key. The old key stays valid until a date.

        Args:
            label: the label of the key.
            until: the last day (UTC) on which the old key is valid.
        Returns:
            the old key's new name, and the new key.
        Raises:
            CredentialsFailed: there is no key with that label, the date is past, or AWS rejects a call.
        """
        name = f"{API_KEYS}/{label}"
        present = self.fetch_all()
        if name not in present:
            raise CredentialsFailed(
                f"There is no key {name}. `pennyworth credentials list` lists all keys;"
                f" `create-key --label {label}` creates this one"
            )
        if name.startswith(_PART):
            raise CredentialsFailed(
                f"{name} contains keys of the repository's secret {API_KEYS}. Change them there"
            )
        if until < datetime.now(UTC).date():
            raise CredentialsFailed(f"{until} is in the past. Choose today or a later day")
        old = f"{name}{UNTIL}{until}"
        key = _generate_key()
        self.set(old, present[name].value)  # first, so that the old key stays valid if a later call fails
        self.set(name, key)
        for other in present:
            if other.startswith(f"{name}{UNTIL}") and has_expired(other):
                self.remove(other)
        return old, key

    def remove(self, name: str) -> None:
        """Delete a credential.

        Args:
            name: the credential's name.
        Raises:
            CredentialsFailed: there is no such credential, or AWS rejects the call.
        """
        with _explain_failures():
            self._ssm.delete_parameter(Name=f"{self.path}/{name}")

    def revoke(self, ending: str) -> str:
        """Delete an API key, whichever credential contains it.

        Args:
            ending: the key's last characters, or the whole key.
        Returns:
            the name of the credential that contained it.
        Raises:
            CredentialsFailed: not exactly one key ends with these characters, or AWS rejects a call.
        """
        held = [
            (credential, key)
            for credential in self.fetch_all().values()
            if _holds_keys(credential.name)
            for key in _read_keys(credential.value)
            if key.endswith(ending)
        ]
        if len(held) != 1 or len(ending) < _SHOWN_CHARACTERS:
            raise CredentialsFailed(
                f"{len(held) or 'No'} API key{'s' * (len(held) != 1)} end{'s' * (len(held) == 1)} with that. Give at"
                f" least {_SHOWN_CHARACTERS} of its last characters, and more if several keys end with them"
            )
        ((credential, key),) = held
        if left := [one for one in _read_keys(credential.value) if one != key]:
            self._put(credential.name, ",".join(left), _BY_HAND)
        else:
            self.remove(credential.name)
        return credential.name

    def write(self, wanted: Mapping[str, str]) -> dict[str, Outcome]:
        """Write the secrets that have changed since the last call. What the secrets no longer hold stays.

        A value that was set or rotated by hand stays until its secret changes. A credential that was deleted by hand is
        written again.

        Args:
            wanted: the secrets' values by name.
        Returns:
            what was done, by name.
        Raises:
            CredentialsFailed: AWS rejects a call. Earlier changes stay.
        """
        present = self.fetch_all()
        done: dict[str, Outcome] = {}
        names = list(wanted)
        if _count_secret_keys(wanted) > _count_secret_keys({n: one.value for n, one in present.items()}):
            # keys move to later parts, so those come first: a key must not be missing in between
            names.reverse()
        for name in names:
            value = wanted[name]
            if name in present and present[name].value == value:
                done[name] = "unchanged"
            elif name in present and self._fetch_written(name)[-1:] == [value]:
                done[name] = "kept"
            else:
                self._put(name, value, _BY_PIPELINE)
                done[name] = "written"
        return done

    def remove_absent(self, wanted: Mapping[str, str]) -> dict[str, Outcome]:
        """Delete credentials whose secrets were removed, unless somebody has set them by hand.

        Args:
            wanted: the secrets' values by name.
        Returns:
            what was done, by name.
        Raises:
            CredentialsFailed: AWS rejects a call. Earlier changes stay.
        """
        present = self.fetch_all()
        done: dict[str, Outcome] = {}
        for name in sorted(present.keys() - wanted.keys()):
            # a part is nobody else's, even if a key was revoked in it
            if name.startswith(_PART) or self._fetch_written(name)[-1:] == [present[name].value]:
                self.remove(name)
                done[name] = "removed"
        return done

    def _fetch_written(self, name: str) -> list[str]:
        """Fetch the values that the pipeline wrote, oldest first. AWS keeps 100 versions."""
        with _explain_failures():
            pages = self._ssm.get_paginator("get_parameter_history").paginate(
                Name=f"{self.path}/{name}", WithDecryption=True
            )
            versions = [version for page in pages for version in page["Parameters"]]
        ordered = sorted(versions, key=lambda version: int(version["Version"]))
        return [version["Value"] for version in ordered if version.get("Description") == _BY_PIPELINE]


def count_api_keys(credentials: Mapping[str, Credential]) -> int:
    """Count the API keys that callers may use, each once."""
    return len(
        {
            key
            for name, one in credentials.items()
            if _holds_keys(name) and not has_expired(name)
            for key in _read_keys(one.value)
        }
    )


def is_read_by(stack: str, region: str) -> bool | None:
    """Check whether a stack's function reads the credentials; None if the stack can't be read."""
    try:
        deployed = Stack(stack, region).describe()
    except AWS_FAILURES:
        return None
    return "CredentialsPath" in deployed.outputs if deployed else None


def parse_secrets(api_keys: str, provider_credentials: str) -> dict[str, str]:
    """Parse a repository's secrets.

    Args:
        api_keys: the secret LITELLM_API_KEYS.
        provider_credentials: the secret PROVIDER_CREDENTIALS, in dotenv format.
    Returns:
        the credentials' values by name. Long lists of keys take several, each of which fits into a parameter.
    Raises:
        CredentialsFailed: with everything that is wrong.
    """
    keys = read_api_keys(api_keys)
    providers = read_provider_credentials(provider_credentials)
    if problems := (*keys.problems, *providers.problems):
        raise CredentialsFailed("The secrets can't be used", ADVICE, "\n".join(map(str, problems)))
    parts = {
        f"{_PART}{number}" if number > 1 else API_KEYS: part
        for number, part in enumerate(_split(keys.keys), 1)
    }
    return parts | {name: value for name, value in providers.values.items() if value}


def check_name(name: str) -> None:
    """Check that a credential can have a name. The message does not repeat it, because it may be a pasted secret.

    Raises:
        CredentialsFailed: it can't.
    """
    base, slash, label = name.partition("/")
    if not is_variable(base) or (slash and not _LABEL.fullmatch(label)):
        raise CredentialsFailed(
            "That is not the name of an environment variable, such as OPENAI_API_KEY, or of an API key, such as"
            f" {API_KEYS}/alice"
        )
    if base in RESERVED:
        raise CredentialsFailed(f"{base} is reserved: the function calls AWS with its own role")


def _holds_keys(name: str) -> bool:
    """Check whether a credential contains API keys."""
    return name.partition("/")[0] == API_KEYS


def _read_keys(value: str) -> tuple[str, ...]:
    return read_api_keys(value, stored=False).keys


def _count_secret_keys(values: Mapping[str, str]) -> int:
    """Count the API keys that come from the repository's secret."""
    return sum(
        len(_read_keys(value)) for name, value in values.items() if name == API_KEYS or name.startswith(_PART)
    )


def _split(keys: Sequence[str]) -> list[str]:
    """Split API keys into lists that fit into a parameter each."""
    parts: list[str] = []
    for key in keys:
        longer = f"{parts[-1]},{key}" if parts else key
        if parts and len(longer.encode()) <= VALUE_BYTES:
            parts[-1] = longer
        else:
            parts.append(key)
    return parts


def _generate_key() -> str:
    return f"sk-{secrets.token_urlsafe(32)}"


def _shorten(value: str) -> str:
    """Shorten a value to its last characters, at most a quarter of it."""
    shown = min(_SHOWN_CHARACTERS, len(value) // 4)
    return f"…{value[-shown:]}" if shown else "…"


@contextmanager
def _explain_failures(secret: str = "") -> Iterator[None]:
    """Turn exceptions of boto3 into CredentialsFailed.

    Args:
        secret: what AWS may repeat and nobody may see.
    """
    try:
        yield
    except AWS_FAILURES as failure:
        if lacks_credentials(failure):
            raise CredentialsFailed(f"AWS refuses your credentials: {failure}. {LOG_IN}") from None
        if not isinstance(failure, ClientError):
            raise CredentialsFailed(str(failure)) from None
        code = read_error_code(failure)
        advice = (
            "There is no such credential"
            if code == "ParameterNotFound"
            else "AWS denies access"
            if is_denied(failure)
            else "AWS Systems Manager rejects it"
        )
        message = failure.response["Error"].get("Message", "")
        if secret:
            message = message.replace(secret, "***")
        raise CredentialsFailed(f"{advice} ({code}): {message}".strip(": ")) from None
