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
from pathlib import Path

_SUBJECT = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>[^/\s]+)")


def main() -> int:
    """Attest. Returns the exit status."""
    environ = os.environ
    if not environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return failed("the job can't get an OIDC token to sign with. Give it the permission id-token: write")
    if not environ.get("GITHUB_TOKEN"):
        return failed("the job has no token to store the attestation with")
    checksums = Path(environ["CHECKSUMS"])
    if not checksums.is_file():
        return failed(f"there is no {checksums}")
    subjects = []
    for line in checksums.read_text().splitlines():
        subject = _SUBJECT.fullmatch(line)
        if not subject:
            return failed(f"{checksums} contains a line that is not from sha256sum: {line}")
        content = (checksums.parent / subject["name"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != subject["digest"]:
            return failed(f"{subject['name']} is another file than {checksums} says")
        subjects.append({"name": subject["name"], "digest": {"sha256": subject["digest"]}})
    if not subjects:
        return failed(f"{checksums} names no files")
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


def failed(message: str) -> int:
    """Show an error on the run's page. Returns the exit status."""
    print(f"::error::{message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
