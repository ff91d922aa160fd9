"""Finds secrets in a file, where they don't belong, and files where secrets belong."""

import re
from collections.abc import Iterator

from pennyworth.checks.config.facts import REFERENCE, Facts, find_texts
from pennyworth.checks.config.lines import Place
from pennyworth.checks.config.report import Finding, Severity

# Common formats of secrets. For many more, see https://docs.github.com/code-security/secret-scanning.
_SECRET = re.compile(
    r"sk-[\w-]{16,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|gsk_\w{20,}|xai-\w{20,}|gh[pousr]_\w{30,}|-----BEGIN [A-Z ]*PRIVATE"
    r"|\w+://[^/\s:@<]+:(?!password@|<)[^/\s@]+@"
)
_NAMES_SECRET = re.compile(
    r"(?i)(?:^|[_.-])(?:(?<!cache_)key|secret|token|password|passwd|credentials?|authorization)$"
)
_PLACEHOLDER = re.compile(
    r"(?i)-*|\.+|(sk-)?x+|none|null|empty|any(thing)?([-_ ]goes)?|no[-_ ]?key.*|not[-_ ]?(needed|required|used)|<.*>"
    r"|oidc/.*|(sk-)?(your|my)[-_ ].*|[^:/]*(fake|dummy|placeholder|example|\*\*\*|xxx|optional)[^:/]*|(api[-_ ]?)?key"
    r"|password"
)
"""What is written where a key must be, although none is needed, or where the reader's own belongs."""
_FILE = re.compile(r"[\w./~-]*(?:/|\.json)[\w./~-]*")
_SHORTEST_SECRET = 6

_OF_FILES = frozenset(["vertex_credentials", "vertex_ai_credentials"])
"""Parameters that are a credential's text, or the name of a file with it."""


def find_secrets(facts: Facts) -> Iterator[tuple[Place, str]]:
    """Yield every secret that is written into the file, and its place."""
    for place, text in find_texts(facts.document, ()):
        sounds = "model_info" not in place and _NAMES_SECRET.search(str(place[-1]))
        hidden = sounds and len(text) >= _SHORTEST_SECRET and not text.isdigit() and not _FILE.fullmatch(text)
        # a placeholder opens the gateway as it is
        opens = place == ("general_settings", "master_key") and bool(text)
        if text.startswith(REFERENCE) or not (opens or hidden or _SECRET.search(text)):
            continue
        if opens or not _PLACEHOLDER.fullmatch(text):
            yield place, text


def check_secrets(facts: Facts) -> Iterator[Finding]:
    """Find secrets written into the file."""
    for place, _ in find_secrets(facts):
        message = (
            "this is a secret in plain text, in a file that is part of the repository and the package. Replace it with"
            f" {REFERENCE}NAME, and put NAME=value into PROVIDER_CREDENTIALS. If you have pushed it, revoke it"
        )
        yield facts.make_finding(Severity.WARNING, place, message)


def names_file(name: str, value: object) -> bool:
    """Check whether a parameter names a file with a credential."""
    return (
        name in _OF_FILES
        and isinstance(value, str)
        and bool(_FILE.fullmatch(value))
        and not value.startswith(REFERENCE)
    )


def check_files(facts: Facts) -> Iterator[Finding]:
    """Find parameters that name a file: the function's package has none of them."""
    for entry in facts.entries:
        for name, value in entry.params.items():
            if names_file(str(name), value):
                message = (
                    "names a file, and the function has none. Write os.environ/VERTEXAI_CREDENTIALS, and put the file's"
                    " content into that variable in PROVIDER_CREDENTIALS"
                )
                yield facts.make_finding(
                    Severity.WARNING, (*entry.place, "litellm_params", str(name)), message
                )
