"""A fake of GitHub's REST API for the rehearsal and the tests, limited to what this project calls.

    with FakeGitHub("example/pennyworth", folder) as github:
        token = github.grant({"issues": "write"})
        ...                                     # call github.api_url with the token
        github.issues[1]["title"], github.bodies(1)

It stores issues and comments in GitHub's format, and commits in a real git repository. A token may do only what
the job's `permissions:` allow. `exchanges` lists all requests and responses; the tests check each of them
against GitHub's OpenAPI description.
"""

from pennyworth.local.github.answers import Exchange
from pennyworth.local.github.server import FakeGitHub

__all__ = ["Exchange", "FakeGitHub"]
