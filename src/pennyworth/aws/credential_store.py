"""A stack's credentials: SecureString parameters below /STACK/credentials, where its function looks for them.

They are encrypted with the account's own key for the Parameter Store (aws/ssm), which costs nothing.
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
"""The keys of the endpoint's callers, comma-separated. Parameters below that name are further ones."""

Outcome = Literal["written", "unchanged", "kept", "removed"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[A-Za-z0-9_.-]+")

# What each version of a parameter tells of its origin.
_BY_PIPELINE = "From the repository's secrets"
_BY_HAND = "By hand"

_SHOWN_CHARACTERS = 4


class CredentialsFailed(OperationFailed):
    """Something could not be done; the message says what, and holds no value."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A parameter."""

    name: str
    """Below the path, such as OPENAI_API_KEY or LITELLM_API_KEYS/20261123-183000."""
    changed: datetime
    value: str = field(repr=False)

    def list_endings(self) -> list[str]:
        """The last characters of its value, of each key where it holds several: enough to tell them apart."""
        values = split_list(self.value) if self.name.partition("/")[0] == API_KEYS else [self.value]
        return [_shorten(value) for value in values]


class Credentials:
    """The credentials of a stack, which need not be there yet."""

    def __init__(self, stack: str, region: str) -> None:
        """
        Args:
            stack: its name.
            region: where it is, or will be.
        """
        self.path = f"/{stack}/credentials"
        # of writing, AWS takes but a few calls a second
        patient = Config(retries={"mode": "standard", "max_attempts": 8})
        self._ssm: Any = boto3.client("ssm", region_name=region, config=patient)

    def fetch_all(self) -> dict[str, Credential]:
        """Those that there are, by name.

        Raises:
            CredentialsFailed: AWS refuses.
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
        """Make or replace one.

        Raises:
            CredentialsFailed: it can't be called so, has no value, or AWS refuses.
        """
        base, slash, label = name.partition("/")
        if not _NAME.fullmatch(base) or (slash and not _LABEL.fullmatch(label)):
            raise CredentialsFailed(f"{name} is no name of a variable, such as OPENAI_API_KEY")
        if base in RESERVED:
            raise CredentialsFailed(f"{name} is the function's own; it calls AWS as its role")
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
        """Make a new API key beside those that there are.

        Args:
            label: tells it from the others; by default the time.
        Returns:
            the credential's name, and the key, which is nowhere else to be read.
        Raises:
            CredentialsFailed: there is one of that label, or AWS refuses.
        """
        name = f"{API_KEYS}/{label or f'{datetime.now(UTC):%Y%m%d-%H%M%S}'}"
        if name in self.fetch_all():
            raise CredentialsFailed(
                f"{name} is there already. Give the new key another name, or remove that one"
            )
        key = _generate_key()
        self.set(name, key)
        return name, key

    def rotate_key(self, label: str, until: date) -> tuple[str, str]:
        """Replace an API key; the old one opens until a date.

        Args:
            label: of the key.
            until: the last day (UTC) on which the old one opens.
        Returns:
            the old key's new name, and the new key, which is nowhere else to be read.
        Raises:
            CredentialsFailed: there is no key of that label, the day is over, or AWS refuses.
        """
        name = f"{API_KEYS}/{label}"
        present = self.fetch_all()
        if name not in present:
            raise CredentialsFailed(
                f"There is no key {name}. `pennyworth credentials list` names those that there are;"
                f" `create-key --label {label}` makes one"
            )
        if until < datetime.now(UTC).date():
            raise CredentialsFailed(f"{until} is over. Give a day from today on")
        old = f"{name}{UNTIL}{until}"
        key = _generate_key()
        self.set(old, present[name].value)  # first: whatever fails, the old key opens
        self.set(name, key)
        for other in present:
            if other.startswith(f"{name}{UNTIL}") and has_expired(other):
                self.remove(other)
        return old, key

    def remove(self, name: str) -> None:
        """Remove one.

        Raises:
            CredentialsFailed: there is none of that name, or AWS refuses.
        """
        with _explain_failures():
            self._ssm.delete_parameter(Name=f"{self.path}/{name}")

    def revoke(self, ending: str) -> str:
        """Remove one API key, wherever it stands.

        Args:
            ending: its last characters, or all of it.
        Returns:
            the credential that held it.
        Raises:
            CredentialsFailed: no key ends so, or several do, or AWS refuses.
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
                f"{len(held) or 'No'} API key{'s' * (len(held) != 1)} end{'s' * (len(held) == 1)} so. Give its last"
                f" characters, at least {_SHOWN_CHARACTERS} and as many as tell it from the others"
            )
        ((credential, key),) = held
        if left := [one for one in split_list(credential.value) if one != key]:
            self.set(credential.name, ",".join(left))
        else:
            self.remove(credential.name)
        return credential.name

    def sync(self, wanted: Mapping[str, str]) -> dict[str, Outcome]:
        """Make them what a repository's secrets say, wherever the secrets have changed since this was done last.

        What was set, rotated or removed by hand since stays so until its secret changes, but for what was removed
        altogether: that is made again.

        Args:
            wanted: values by name.
        Returns:
            what was done, by name.
        Raises:
            CredentialsFailed: AWS refuses; what was done before stays.
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
        """What the pipeline has written as its value, oldest first; AWS keeps a hundred versions."""
        with _explain_failures():
            pages = self._ssm.get_paginator("get_parameter_history").paginate(
                Name=f"{self.path}/{name}", WithDecryption=True
            )
            versions = [version for page in pages for version in page["Parameters"]]
        ordered = sorted(versions, key=lambda version: int(version["Version"]))
        return [version["Value"] for version in ordered if version.get("Description") == _BY_PIPELINE]


def is_read_by(stack: str, region: str) -> bool | None:
    """Whether a deployed stack's function reads them; None where there is no stack, or nobody may ask."""
    try:
        deployed = Stack(stack, region).describe()
    except AWS_FAILURES:
        return None
    return "CredentialsPath" in deployed.outputs if deployed else None


def parse_secrets(api_keys: str, provider_credentials: str) -> dict[str, str]:
    """The credentials that a repository's secrets hold, by name.

    Args:
        api_keys: LITELLM_API_KEYS.
        provider_credentials: PROVIDER_CREDENTIALS, dotenv text.
    """
    values = {API_KEYS: ",".join(split_list(api_keys)), "PROVIDER_CREDENTIALS": provider_credentials}
    expand_credentials(values)
    return {name: value for name, value in values.items() if value}


def _generate_key() -> str:
    return f"sk-{secrets.token_urlsafe(32)}"


def _shorten(value: str) -> str:
    """Its last characters, at most a quarter of it."""
    shown = min(_SHOWN_CHARACTERS, len(value) // 4)
    return f"…{value[-shown:]}" if shown else "…"


@contextmanager
def _explain_failures() -> Iterator[None]:
    """Turn boto3's exceptions into ours."""
    try:
        yield
    except ClientError as failure:
        code = read_error_code(failure)
        advice = (
            "There is no such credential"
            if code == "ParameterNotFound"
            else "AWS refuses"
            if is_denied(failure)
            else "AWS Systems Manager does not take it"
        )
        raise CredentialsFailed(
            f"{advice} ({code}): {failure.response['Error'].get('Message', '')}".strip(": ")
        ) from None
    except BotoCoreError as failure:
        raise CredentialsFailed(str(failure)) from None
