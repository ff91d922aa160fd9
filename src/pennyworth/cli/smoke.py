"""Run smoke tests against any OpenAI-compatible endpoint.

    PENNYWORTH_API_KEY=sk-... pennyworth smoke https://api.example.com/v1

Tests API keys, models, errors, CORS, chat completions and streaming. Each model is asked two short questions,
which cost tokens. Progress goes to standard error; --json and --markdown print the results to standard output.
The exit status is 1 if a check failed, else 0.

The API key comes from --key, PENNYWORTH_API_KEY or OPENAI_API_KEY, and is masked in the output if it has 6
characters or more. Once the endpoint asks for a key that you have not given, or refuses it, the checks that need
one are skipped.

Some checks test what only pennyworth's gateway guarantees, such as CORS, /health, or OpenAI's error format for
every error. Other endpoints may fail them: then they are skipped, or fail with --strict.
"""

import argparse
import os
import sys
from pathlib import Path

from pennyworth import __version__
from pennyworth.checks import smoke
from pennyworth.cli.numbers import read_number
from pennyworth.cli.output import Misused, json_option, print_result
from pennyworth.host.progress import announce, say

_FOREIGN = " (not a pennyworth gateway: what only pennyworth guarantees is skipped, unless --strict)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    names = ", ".join(check.name for check in smoke.CHECKS)
    add("url", metavar="URL", help="the base URL, such as https://api.example.com/v1")
    add("--key", help="the API key; other users of this machine can see it while the command runs")
    add(
        "--model",
        action="append",
        default=[],
        help="a model to ask; repeatable (default: the models that the endpoint lists)",
    )
    add("--limit", type=int, default=5, metavar="N", help="ask at most N of the listed models (default: 5)")
    add("--skip", action="append", default=[], metavar="CHECK", help=f"skip a check; repeatable: {names}")
    add(
        "--ask",
        default=smoke.QUESTION,
        metavar="TEXT",
        help=f"the question to ask (default: {smoke.QUESTION})",
    )
    add(
        "--expect",
        default=smoke.EXPECTED,
        metavar="TEXT",
        help="text that the answer must contain (default: Paris)",
    )
    add(
        "--origin",
        default="https://example.com",
        help="the origin of web pages that call it, for CORS (default: %(default)s)",
    )
    add(
        "--connect",
        type=_address,
        metavar="HOST:PORT",
        help="connect to this address instead of resolving the URL's host name",
    )
    add(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="keep trying for so long until it answers, for a new domain (default: 0)",
    )
    add(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="fail after so long without data (default: 60)",
    )
    add("--strict", action="store_true", help="also fail for what only pennyworth's gateway guarantees")
    add(
        "--large-bytes",
        type=read_number(int),
        default=smoke.LARGE_BYTES,
        metavar="N",
        help=f"the size of the large request body (default: {smoke.LARGE_BYTES}, just over Lambda's limit)",
    )
    add(
        "--long",
        type=read_number(float),
        default=0.0,
        metavar="SECONDS",
        help="check that a request stays open for so long, with a long answer of the first model; costs tokens",
    )
    add("--junit", type=Path, metavar="FILE", help="also write the results to this file as JUnit XML")
    output = parser.add_mutually_exclusive_group()
    json_option(output, "the results")
    output.add_argument("--markdown", action="store_true", help="print the results as a Markdown table")


def run(options: argparse.Namespace) -> int:
    """Run the checks and report them. Returns 1 if one failed, 2 on wrong usage, else 0."""
    if unknown := smoke.find_unknown(options.skip):
        raise Misused(f"there is no check named {', '.join(unknown)}")
    key = options.key or os.environ.get("PENNYWORTH_API_KEY") or os.environ.get("OPENAI_API_KEY")
    try:
        endpoint = smoke.Endpoint(options.url, key, connect=options.connect, timeout=options.timeout)
    except ValueError as error:
        raise Misused(str(error)) from error
    if key and len(key) < smoke.MASKED_CHARACTERS:
        say(
            f"  ! the API key is shorter than {smoke.MASKED_CHARACTERS} characters, so it is not masked below"
        )
    results = smoke.run(
        endpoint,
        models=options.model,
        limit=options.limit,
        skip=options.skip,
        question=options.ask,
        expected=options.expect,
        origin=options.origin,
        wait=options.wait,
        strict=options.strict,
        large_bytes=options.large_bytes,
        long_seconds=options.long,
        report=lambda result: say(f"  {smoke.format_line(result)}", replace=True),
        progress=lambda text: announce(f"  · {text}"),
    )
    answers = any(result.status == "passed" for result in results)  # else asking would time out once more
    software = endpoint.software if answers else ""
    foreign = answers and not (endpoint.ours or options.strict)
    say(f"  {smoke.summarize(results)}{_FOREIGN if foreign else ''}")
    if options.json:
        print_result(smoke.as_json(results))
    if options.markdown:
        print(smoke.as_markdown(results))
    sys.stdout.flush()
    if options.junit:
        tried = {"url": options.url, "pennyworth": __version__, "software": software or "unknown"}
        try:
            options.junit.write_text(smoke.as_junit(results, tried), encoding="utf-8")
        except OSError as error:
            raise Misused(f"can't write {options.junit}: {error.strerror}") from error
    return 0 if smoke.all_passed(results) else 1


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, not {text}")
    return host.strip("[]"), int(port)
