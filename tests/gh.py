"""GitHub's own program, `gh`, played by a small one: https://cli.github.com/manual/gh_secret_set."""

import json
import shutil
import sys
from pathlib import Path

_PROGRAM = '''#!{python}
"""Plays gh: keeps secrets in a file beside it, and writes down what it was called with."""
import json, pathlib, sys
from datetime import datetime, timezone
here, repository = pathlib.Path(__file__).parent, "{repository}"
words, value = sys.argv[1:], sys.stdin.read()
with (here / "calls").open("a") as log:
    print(json.dumps({"words": words, "value": value}), file=log)
place = ""
if "--env" in words:
    at = words.index("--env")
    _, place = words[at : at + 2]
    del words[at : at + 2]
kept = here / f"secrets{place and '.'}{place}"
secrets = json.loads(kept.read_text()) if kept.exists() else {}
now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
match words:
    case ["auth", "status"]:
        sys.exit(0 if (here / "logged-in").exists() else 1)
    case ["api", _]:
        print(json.dumps({"full_name": repository, "owner": {"id": 11}, "id": 22}))
    case ["secret", "list", *_]:
        print(json.dumps([{"name": name, "updatedAt": at} for name, (_, at) in secrets.items()]))
    case ["variable", "list", *_] if place:
        print("[]")
    case ["variable", "list", "--repo", given, "--json", "name"] if given == repository:
        print((here / "variables").read_text() if (here / "variables").exists() else "[]")
    case ["secret", "set", name, *where] if where in ([], ["--repo", repository]):
        secrets[name] = value, now
    case ["secret", "delete", name, "--repo", given] if given == repository:
        del secrets[name]
    case _:
        sys.exit("unknown command")
kept.write_text(json.dumps(secrets))
'''


class Gh:
    """The program in a folder for PATH, logged in, and a repository's secrets."""

    def __init__(self, folder: Path, repository: str, before: "Gh | None" = None) -> None:
        """
        Args:
            folder: takes the program and what it keeps.
            repository: OWNER/NAME, the only one that it knows.
            before: another one, which has kept and was called with what this one has at first.
        """
        self._folder = folder
        program = folder / "gh"
        program.write_text(_PROGRAM.replace("{python}", sys.executable).replace("{repository}", repository))
        program.chmod(0o755)
        (folder / "logged-in").touch()
        for kept in (*before._folder.glob("secrets*"), *before._folder.glob("calls")) if before else ():
            shutil.copy(kept, folder)

    def log_out(self) -> None:
        """Leave it."""
        (self._folder / "logged-in").unlink()

    @property
    def secrets(self) -> dict[str, str]:
        """The repository's secrets."""
        return self.list_secrets()

    def list_secrets(self, environment: str = "") -> dict[str, str]:
        """The secrets of the repository, or of one of its environments."""
        kept = self._folder / f"secrets{environment and '.'}{environment}"
        return (
            {name: value for name, (value, _) in json.loads(kept.read_text()).items()}
            if kept.exists()
            else {}
        )

    def set_variable(self, name: str) -> None:
        """Give the repository one variable."""
        (self._folder / "variables").write_text(json.dumps([{"name": name}]))

    @property
    def calls(self) -> list[list[str]]:
        """What it was called with, each call's arguments."""
        return [json.loads(line)["words"] for line in (self._folder / "calls").read_text().splitlines()]
