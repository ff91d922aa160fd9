"""GitHub's REST API on this machine, as far as the project's steps call it, for the rehearsal and the tests.

    with FakeGitHub("example/pennyworth", folder) as github:
        token = github.grant({"issues": "write"})
        ...                                     # call github.api_url with the token
        github.issues[1]["title"], github.bodies(1)

It keeps what it is told: issues and comments as GitHub describes them, commits in a real git repository. It lets a
token do what the job's `permissions:` allow and no more. What was said is in `exchanges`; the tests hold each of them
against GitHub's own description of its API.
"""

from pennyworth.local.github.answers import Exchange
from pennyworth.local.github.server import FakeGitHub

__all__ = ["Exchange", "FakeGitHub"]
