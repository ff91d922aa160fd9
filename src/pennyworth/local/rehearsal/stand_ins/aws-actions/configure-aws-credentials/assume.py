"""A stand-in for aws-actions/configure-aws-credentials: OIDC and static keys, with the standard library alone.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

# ruff: noqa: S310, S314 - the addresses and the answer are those of the job's own issuer and cloud
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path

STS = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "SessionToken",
}


def main() -> int:
    """Put credentials into the job's environment. Returns the exit status."""
    environ = {name: value.strip() for name, value in os.environ.items()}  # as @actions/core trims inputs
    region = environ["REGION"]
    if environ["KEY_ID"] and not environ["ROLE"]:
        keys = {"AWS_ACCESS_KEY_ID": environ["KEY_ID"], "AWS_SECRET_ACCESS_KEY": environ["SECRET"]}
        hand_over({**keys, "AWS_SESSION_TOKEN": ""}, region)
        return 0
    endpoint = environ.get("AWS_ENDPOINT_URL") or f"https://sts.{region}.amazonaws.com"
    if not environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return failed("the job can't get an OIDC token. Give it the permission id-token: write")
    try:
        fields = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": environ["ROLE"],
            "RoleSessionName": environ["SESSION"],
            "DurationSeconds": environ["DURATION"],
            "WebIdentityToken": token(environ["AUDIENCE"]),
        }
        answer = urllib.request.Request(endpoint, urllib.parse.urlencode(fields).encode())
        with urllib.request.urlopen(answer, timeout=30) as response:
            document = ElementTree.fromstring(response.read())
    except urllib.error.HTTPError as refusal:
        text = refusal.read().decode(errors="replace")
        try:
            message = ElementTree.fromstring(text).findtext(".//sts:Message", text, STS)
        except ElementTree.ParseError:
            message = text
        return failed(f"Could not assume role with OIDC: {message}")
    credentials = {
        name: document.findtext(f".//sts:{element}", "", STS) for name, element in VARIABLES.items()
    }
    hand_over(credentials, region)
    print("Authenticated as assumedRoleId", document.findtext(".//sts:AssumedRoleId", "", STS))
    return 0


def hand_over(credentials: dict[str, str], region: str) -> None:
    """Put credentials into the environment of later steps, and mask them."""
    for value in filter(None, credentials.values()):
        print(f"::add-mask::{value}")
    with Path(os.environ["GITHUB_ENV"]).open("a") as file:
        for name, value in {**credentials, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}.items():
            file.write(f"{name}={value}\n")


def token(audience: str) -> str:
    """Fetch GitHub's OIDC token for this run."""
    url = f"{os.environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={urllib.parse.quote(audience)}"
    bearer = f"bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"
    request = urllib.request.Request(url, headers={"Authorization": bearer})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(json.load(response)["value"])


def failed(message: str) -> int:
    """Show an error on the run's page. Returns the exit status."""
    print(f"::error::{message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
