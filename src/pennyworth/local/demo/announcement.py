"""The text that the demo prints once it serves: the base URL, an API key, and examples to paste."""

import json
import os
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path

from pennyworth.checks.smoke import QUESTION
from pennyworth.local.demo.deployment import Endpoint


def resolves(endpoint: Endpoint) -> bool:
    """Return whether this machine resolves the custom domain."""
    try:
        found = socket.getaddrinfo(endpoint.domain, endpoint.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    # an IPv6 address before it is fine: clients fall back to IPv4
    return any(address[4][0] == endpoint.host for address in found)


def announcement(endpoint: Endpoint, key: str, models: Sequence[tuple[str, str]], config: Path) -> str:
    """Return the text.

    Args:
        endpoint: the deployed endpoint.
        key: an API key.
        models: each model's name, and how requests reach it.
        config: the gateway's configuration file.
    """
    by_name = resolves(endpoint)
    url = endpoint.domain_url if by_name else endpoint.url
    width = max(len(name) for name, _ in models)
    facts = [
        ("base URL", url),
        ("API key", key),
        *(("" if at else "models", f"{name:{width}}  {how}") for at, (name, how) in enumerate(models)),
        ("config", os.path.relpath(config)),
    ]
    first, last = models[0][0], models[-1][0]
    blocks = [
        ("Ask it with curl, with streaming:", curl(url, key, first, stream=True)),
        (
            "Without streaming:" if first == last else "Ask the other model, without streaming:",
            curl(url, key, last),
        ),
    ]
    if not by_name:
        there = ["--resolve", f"{endpoint.domain}:{endpoint.port}:{endpoint.host}"]
        blocks.append(
            ("Ask it through its custom domain, which this system does not resolve:",
             curl(endpoint.domain_url, key, first, options=there))
        )  # fmt: skip
    blocks.append(("With OpenAI's SDK (pip install openai):", sdk(url, key, first)))
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
