"""Keeps what a workflow wrote for people, the job's summary and its comments, as pages to read."""

import html
import subprocess
from pathlib import Path

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.places import made

# markdown-it comes with sam; GitHub's Markdown has these two besides CommonMark
_RENDER = (
    "import sys, markdown_it\n"
    "page = markdown_it.MarkdownIt('commonmark').enable(['table', 'strikethrough'])\n"
    "sys.stdout.buffer.write(page.render(sys.stdin.buffer.read().decode()).encode())\n"
)
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #ccc; padding: .3em .6em; text-align: left }}
pre, code {{ background: #f4f4f4; overflow-x: auto }}
</style>
{body}"""


def keep_page(name: str, text: str) -> Path:
    """Write a page as Markdown and, if it can be rendered, as HTML. Replaces that of an earlier run.

    Args:
        name: the file's name, such as deploy.
        text: the page, in Markdown.
    Returns:
        the file to open: the HTML, else the Markdown.
    """
    source, page = (made("rehearsals") / f"{name}.{kind}" for kind in ("md", "html"))
    source.write_text(text, encoding="utf-8")
    page.unlink(missing_ok=True)
    done = subprocess.run(
        [environment("tools") / "python", "-I", "-c", _RENDER],
        input=text.encode(),
        env=clean_environ(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return source
    page.write_text(
        _PAGE.format(title=html.escape(f"Rehearsal of {name}"), body=done.stdout.decode()), encoding="utf-8"
    )
    return page
