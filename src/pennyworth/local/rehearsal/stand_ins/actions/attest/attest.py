"""Does what actions/attest does without signing: read the subjects, get an OIDC token, store a statement.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

# ruff: noqa: S310 - the URL is that of the job's own issuer
import hashlib
import json
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SUBJECT = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>[^/\s]+)")


def main() -> int:
    """Attest. Returns the exit status."""
    environ = os.environ
    if not environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return failed("the job can't get an OIDC token to sign with. Give it the permission id-token: write")
    if not environ.get("GITHUB_TOKEN"):
        return failed("the job has no token to store the attestation with")
    try:
        subjects = (
            list(read_list(Path(environ["CHECKSUMS"])))
            if environ["CHECKSUMS"]
            else [describe(Path(environ["FILE"]))]
        )
    except (OSError, ValueError) as problem:
        return failed(str(problem))
    if not subjects:
        return failed(f"{environ['CHECKSUMS']} names no files")
    url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=sigstore"
    bearer = f"bearer {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"
    request = urllib.request.Request(url, headers={"Authorization": bearer})
    with urllib.request.urlopen(request, timeout=30) as response:
        if not json.load(response)["value"]:
            return failed("the issuer issued no token")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": subjects,
    }
    bundle = Path(environ["RUNNER_TEMP"], "attestation.json")
    bundle.write_text(json.dumps(statement))
    with Path(environ["GITHUB_OUTPUT"]).open("a") as file:
        page = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}/attestations/1"
        file.write(f"bundle-path={bundle}\nattestation-id=1\nattestation-url={page}\n")
    print(json.dumps(statement))
    return 0


def read_list(checksums: Path) -> Iterator[dict[str, Any]]:
    """The subjects that a list names. Raises ValueError where it is wrong."""
    for line in checksums.read_text().splitlines():
        listed = _SUBJECT.fullmatch(line)
        if not listed:
            raise ValueError(f"{checksums} contains a line that is not from sha256sum: {line}")
        subject = describe(checksums.parent / listed["name"])
        if subject["digest"]["sha256"] != listed["digest"]:
            raise ValueError(f"{listed['name']} is another file than {checksums} says")
        yield subject


def describe(file: Path) -> dict[str, Any]:
    """A file as a subject."""
    return {"name": file.name, "digest": {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}}


def failed(message: str) -> int:
    """Show an error on the run's page. Returns the exit status."""
    print(f"::error::{message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
