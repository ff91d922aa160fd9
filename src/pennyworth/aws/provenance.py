"""Where a function's package comes from: the record that a deployment leaves with the stack and with each version."""

import re
from dataclasses import dataclass

PARAMETER = "Provenance"
"""The stack parameter that holds the record. The template puts it into each version's description."""

UNKNOWN = "0" * 40
"""In the place of a commit, where the package was built outside of a git repository."""

_RECORD = re.compile(r"(?<!\S)([0-9a-f]{40}) ([A-Za-z0-9+/]{43}=) ([0-9a-f]{12})(?!\S)")


@dataclass(frozen=True, slots=True)
class Provenance:
    """A package's origin."""

    commit: str
    """The commit that the package was first built from; UNKNOWN if there was none."""
    package: str
    """The SHA-256 of the package's zip file in base64, as Lambda's CodeSha256 is."""
    locks: str
    """The first digits of the SHA-256 of the lock whose packages it contains."""

    @classmethod
    def find(cls, text: str) -> "Provenance | None":
        """Find a record in a text, such as a version's description; None if it holds none."""
        found = _RECORD.search(text)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"{self.commit} {self.package} {self.locks}"
