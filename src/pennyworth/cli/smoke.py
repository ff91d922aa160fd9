"""Try an OpenAI-compatible endpoint as its users would.

The key comes from PENNYWORTH_API_KEY, else OPENAI_API_KEY, unless --key gives it; it is never printed. Each check is
reported as it runs, on standard error; --json and --markdown print the results on standard output, --junit writes them
into a file. The exit status is 1 where a check failed.

Any such endpoint may be tried. What only pennyworth's own gateway promises, such as CORS, /health or OpenAI's shape of
every error, is skipped where another lacks it; --strict makes it a failure. Each model is asked two short questions.
"""

import argparse
import os
import sys
from pathlib import Path

from pennyworth import __version__
from pennyworth.checks import smoke
from pennyworth.cli.numbers import read_number
from pennyworth.host.progress import announce, say

_FOREIGN = " (another's endpoint: what only pennyworth's own gateway promises is no failure, unless --strict)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    names = ", ".join(check.name for check in smoke.CHECKS)
    add("url", metavar="URL", help="the base URL, such as https://api.example.com/v1")
    add("--key", help="the API key (visible to other users of this machine while it runs)")
    add("--model", action="append", default=[], help="a model to ask; repeatable; default: those it lists")
    add("--limit", type=int, default=5, metavar="N", help="of the listed models, ask at most N (default: 5)")
    add(
        "--skip", action="append", default=[], metavar="CHECK", help=f"leave a check out; repeatable: {names}"
    )
    add("--ask", default=smoke.QUESTION, metavar="TEXT", help=f"the question (default: {smoke.QUESTION})")
    add(
        "--expect",
        default=smoke.EXPECTED,
        metavar="TEXT",
        help="what must stand in the answer (default: Paris)",
    )
    add("--origin", default="https://example.com", help="the origin of the web pages that call it, for CORS")
    add(
        "--connect",
        type=_address,
        metavar="HOST:PORT",
        help="connect there, whatever the URL's name resolves to",
    )
    add(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="go on trying until it answers: for a new domain",
    )
    add("--timeout", type=float, default=60.0, metavar="SECONDS", help="without a byte (default: 60)")
    add("--strict", action="store_true", help="fail, too, for what only pennyworth's own gateway promises")
    add(
        "--large-bytes",
        type=read_number(int),
        default=smoke.LARGE_BYTES,
        metavar="N",
        help=f"size of the body that may be too large (default: {smoke.LARGE_BYTES}, just over Lambda's limit)",
    )
    add(
        "--long",
        type=read_number(float),
        default=0.0,
        metavar="SECONDS",
        help="ask the first model for a long answer, and see that the request stays open so long; costs its tokens",
    )
    add("--junit", type=Path, metavar="FILE", help="write the results there as JUnit's XML")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the results as JSON")
    output.add_argument("--markdown", action="store_true", help="print the results as a Markdown table")


def run(options: argparse.Namespace) -> int:
    """Run the checks and report them."""
    if unknown := smoke.unknown(options.skip):
        say(f"pennyworth smoke: no such check: {', '.join(unknown)}")
        return 2
    key = options.key or os.environ.get("PENNYWORTH_API_KEY") or os.environ.get("OPENAI_API_KEY")
    try:
        endpoint = smoke.Endpoint(options.url, key, connect=options.connect, timeout=options.timeout)
    except ValueError as error:
        say(f"pennyworth smoke: {error}")
        return 2
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
        report=lambda result: say(f"  {smoke.line(result)}", replace=True),
        progress=lambda text: announce(f"  · {text}"),
    )
    answers = any(result.status == "passed" for result in results)  # else it would be waited for once more
    software = endpoint.software if answers else ""
    foreign = answers and not (endpoint.ours or options.strict)
    say(f"  {smoke.counted(results)}{_FOREIGN if foreign else ''}")
    if options.json:
        print(smoke.as_json(results))
    if options.markdown:
        print(smoke.as_markdown(results))
    sys.stdout.flush()
    if options.junit:
        tried = {"url": options.url, "pennyworth": __version__, "software": software or "unknown"}
        try:
            options.junit.write_text(smoke.as_junit(results, tried), encoding="utf-8")
        except OSError as error:
            say(f"pennyworth smoke: {options.junit} can't be written: {error.strerror}")
            return 2
    return 0 if smoke.passed(results) else 1


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"HOST:PORT is expected, not {text}")
    return host.strip("[]"), int(port)
