"""The text that the demo prints once it serves: the base URL, an API key, and commands to paste."""

import json
import shlex
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pennyworth.checks.smoke import QUESTION
from pennyworth.host.places import shorten
from pennyworth.local.demo.deployment import STACK, Endpoint

if TYPE_CHECKING:
    from pennyworth.local.demo import Demo


def resolves(endpoint: Endpoint) -> bool:
    """Return whether this machine resolves the custom domain."""
    try:
        found = socket.getaddrinfo(endpoint.domain, endpoint.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    # an IPv6 address before it is fine: clients fall back to IPv4
    return any(address[4][0] == endpoint.host for address in found)


def announcement(demo: "Demo") -> str:
    """Return the text."""
    endpoint, key = demo.endpoint, demo.key
    url = endpoint.base_url
    width = max(len(name) for name, _ in demo.models)
    facts = [
        ("base URL", url),
        ("API key", key),
        *(("" if at else "models", f"{name:{width}}  {how}") for at, (name, how) in enumerate(demo.models)),
        ("config", shorten(demo.config)),
        ("domain", endpoint.domain_url),
        ("logs", f"{shorten(demo.log)} (the function's)"),
        ("", f"{shorten(demo.aws.log)} (the local AWS's)"),
    ]
    # a wildcard is no model that can be asked
    names = [name for name, _ in demo.models if "*" not in name] or [demo.models[0][0]]
    first, last = names[0], names[-1]
    blocks = [
        (
            "For OpenAI's SDKs and other clients, set:",
            f"export OPENAI_BASE_URL={shlex.quote(url)}\nexport OPENAI_API_KEY={shlex.quote(key)}",
        ),
        ("Ask it with curl, with streaming:", curl(url, key, first, stream=True)),
        (
            "Without streaming:" if first == last else "Ask the other model, without streaming:",
            curl(url, key, last),
        ),
    ]
    if not resolves(endpoint):
        there = ["--resolve", f"{endpoint.domain}:{endpoint.port}:{endpoint.host}"]
        blocks.append(
            ("Ask it through its custom domain, which this system does not resolve:",
             curl(endpoint.domain_url, key, first, options=there))
        )  # fmt: skip
    blocks.append(("With OpenAI's SDK for Python (pip install openai):", sdk(url, key, first)))
    blocks.append(("See what is in the local AWS, with the AWS CLI:", aws_cli(demo)))
    # no indentation before commands and code: Python would refuse it when pasted
    parts = ["\n".join(f"  {label:9} {fact}" for label, fact in facts)]
    parts += [f"  {title}\n\n{text}" for title, text in blocks]
    return "\n\n".join(parts)


def curl(url: str, key: str, model: str, *, stream: bool = False, options: Sequence[str] = ()) -> str:
    """Return a curl command that asks a question."""
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        body["stream"] = True
    lines = [
        shlex.join(["curl", "-sSN" if stream else "-sS", *options, f"{url}/chat/completions"]),
        f"  -H {shlex.quote(f'Authorization: Bearer {key}')}",
        "  -H 'Content-Type: application/json'",
        f"  -d {shlex.quote(json.dumps(body))}",
    ]
    return " \\\n".join(lines)


def sdk(url: str, key: str, model: str) -> str:
    """Return a Python program that asks a question with OpenAI's SDK."""
    return f'''from openai import OpenAI

client = OpenAI(base_url="{url}", api_key="{key}")
stream = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "{QUESTION}"}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)'''


def aws_cli(demo: "Demo") -> str:
    """Return a command of the AWS CLI that lists the stack's resources."""
    given = demo.aws.environ()
    variables = " ".join(f"{name}={given[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    where = f"aws --endpoint-url {demo.aws.endpoint} --region {given['AWS_REGION']}"
    return f"{variables} \\\n  {where} cloudformation describe-stack-resources --stack-name {STACK}"
