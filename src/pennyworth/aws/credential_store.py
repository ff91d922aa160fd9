"""A stack's credentials: SecureString parameters below /STACK/credentials, which its function reads.

They are encrypted with the account's AWS managed key for the Parameter Store (aws/ssm), which is free.
https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pennyworth.aws.errors import AWS_FAILURES, is_denied, read_error_code
from pennyworth.aws.stack import Stack
from pennyworth.gateway.parameters import RESERVED, UNTIL, has_expired
from pennyworth.gateway.settings import expand_credentials
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import split_list

API_KEYS = "LITELLM_API_KEYS"
"""The parameter with the endpoint's API keys, comma-separated. Parameters below it hold more keys."""

Outcome = Literal["written", "unchanged", "kept", "removed"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[A-Za-z0-9_.-]+")

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
        values = split_list(self.value) if self.name.partition("/")[0] == API_KEYS else [self.value]
        return [_shorten(value) for value in values]


class Credentials:
    """The credentials of a stack, which need not exist yet."""

    def __init__(self, stack: str, region: str) -> None:
        """
        Args:
            stack: the stack's name.
            region: the stack's region.
        """
        self.path = f"/{stack}/credentials"
        # AWS allows only a few write calls per second
        patient = Config(retries={"mode": "standard", "max_attempts": 8})
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

    def set(self, name: str, value: str, *, origin: str = _BY_HAND) -> None:
        """Create or replace a credential.

        Args:
            name: the name.
            value: the value.
            origin: who sets it, as the description of the parameter's version.
        Raises:
            CredentialsFailed: the name is invalid, the value is empty, or AWS rejects the call.
        """
        base, slash, label = name.partition("/")
        if not _NAME.fullmatch(base) or (slash and not _LABEL.fullmatch(label)):
            raise CredentialsFailed(
                f"{name} is not the name of an environment variable, such as OPENAI_API_KEY"
            )
        if base in RESERVED:
            raise CredentialsFailed(f"{name} is reserved: the function calls AWS with its own role")
        if not value:
            raise CredentialsFailed(f"{name} is empty")
        with _explain_failures():
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
            if credential.name.partition("/")[0] == API_KEYS
            for key in split_list(credential.value)
            if key.endswith(ending)
        ]
        if len(held) != 1 or len(ending) < _SHOWN_CHARACTERS:
            raise CredentialsFailed(
                f"{len(held) or 'No'} API key{'s' * (len(held) != 1)} end{'s' * (len(held) == 1)} with that. Give at"
                f" least {_SHOWN_CHARACTERS} of its last characters, and more if several keys end with them"
            )
        ((credential, key),) = held
        if left := [one for one in split_list(credential.value) if one != key]:
            self.set(credential.name, ",".join(left))
        else:
            self.remove(credential.name)
        return credential.name

    def sync(self, wanted: Mapping[str, str]) -> dict[str, Outcome]:
        """Write the secrets that have changed since the last call, and delete credentials whose secrets were removed.

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
        for name, value in wanted.items():
            if name in present and present[name].value == value:
                done[name] = "unchanged"
            elif name in present and self._fetch_written(name)[-1:] == [value]:
                done[name] = "kept"
            else:
                self.set(name, value, origin=_BY_PIPELINE)
                done[name] = "written"
        for name in sorted(present.keys() - wanted.keys()):
            written = self._fetch_written(name)
            if written and written[-1] == present[name].value:
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
        the credentials' values by name.
    """
    values = {API_KEYS: ",".join(split_list(api_keys)), "PROVIDER_CREDENTIALS": provider_credentials}
    expand_credentials(values)
    return {name: value for name, value in values.items() if value}


def _generate_key() -> str:
    return f"sk-{secrets.token_urlsafe(32)}"


def _shorten(value: str) -> str:
    """Shorten a value to its last characters, at most a quarter of it."""
    shown = min(_SHOWN_CHARACTERS, len(value) // 4)
    return f"…{value[-shown:]}" if shown else "…"


@contextmanager
def _explain_failures() -> Iterator[None]:
    """Turn exceptions of boto3 into CredentialsFailed."""
    try:
        yield
    except ClientError as failure:
        code = read_error_code(failure)
        advice = (
            "There is no such credential"
            if code == "ParameterNotFound"
            else "AWS denies access"
            if is_denied(failure)
            else "AWS Systems Manager rejects it"
        )
        raise CredentialsFailed(
            f"{advice} ({code}): {failure.response['Error'].get('Message', '')}".strip(": ")
        ) from None
    except BotoCoreError as failure:
        raise CredentialsFailed(str(failure)) from None
