"""Commits, trees, branches and tags, stored in a real git repository.

https://docs.github.com/rest/git
"""

import base64
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pennyworth.host.environments import clean_environ
from pennyworth.local.github.answers import Refused, Request, Routes, invalid, not_found

Json = dict[str, Any]

routes = Routes()

_WHO = {"name": "github-actions[bot]", "email": "41898282+github-actions[bot]@users.noreply.github.com"}
_WORKFLOWS = ".github/workflows/"


class Commits:
    """The repository on GitHub, as a bare git repository."""

    def __init__(self, folder: Path, url: str, page: str) -> None:
        """
        Args:
            folder: its folder.
            url: the repository's API URL.
            page: the repository's web page.
        """
        self.folder = folder
        self.url = url
        self.page = page
        self.locked_tags: set[str] = set()
        """Tags of immutable releases."""
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--bare")

    def git(self, *words: str, data: bytes | None = None, environ: Mapping[str, str] | None = None) -> str:
        """Run git and return its output.

        Raises:
            Refused: it failed, which GitHub would answer with 404.
        """
        own = {key: value for key, value in clean_environ().items() if not key.startswith("GIT_")}
        identity = ("-c", f"user.name={_WHO['name']}", "-c", f"user.email={_WHO['email']}")
        done = subprocess.run(
            ["git", *identity, *words],
            cwd=self.folder,
            env={**own, **(environ or {})},
            input=data or b"",
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise not_found()
        return done.stdout.decode(errors="surrogateescape").strip()

    def receive(self, tree: Path, branch: str) -> None:
        """Push a branch.

        Args:
            tree: the checkout whose HEAD to push.
            branch: the branch.
        """
        self.git("fetch", "--quiet", str(tree), f"+HEAD:refs/heads/{branch}")

    def head(self, branch: str) -> str | None:
        """Return the commit of a branch."""
        return self.ref(f"heads/{branch}")

    def ref(self, name: str) -> str | None:
        """Return the target of a ref without refs/, such as tags/v1.0.0."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"refs/{name}") or None
        except Refused:
            return None

    def file(self, ref: str, path: str) -> str:
        """Return a file's text at a commit, a branch or a tag."""
        return self.git("show", f"{ref}:{path}")

    def tags(self) -> list[str]:
        """Return the names of all tags."""
        return self.git("for-each-ref", "--format=%(refname:strip=2)", "refs/tags").splitlines()

    def touches_workflows(self, commit: str) -> bool:
        """Return whether a commit that is on no branch or tag yet changes a file in .github/workflows."""
        new = self.git("rev-list", commit, "--not", "--all").splitlines()
        return any(
            name.startswith(_WORKFLOWS)
            for one in new
            for name in self.git(
                "diff-tree", "-r", "--root", "--no-commit-id", "--name-only", one
            ).splitlines()
        )

    def ref_of(self, name: str) -> Json:
        """Return GitHub's description of a ref."""
        sha = self.ref(name)
        if not sha:
            raise not_found()
        kind = self.git("cat-file", "-t", sha)
        target = {"type": kind, "sha": sha, "url": f"{self.url}/git/{kind}s/{sha}"}
        return {
            "ref": f"refs/{name}",
            "node_id": f"REF_{sha[:8]}",
            "url": f"{self.url}/git/refs/{name}",
            "object": target,
        }

    def commit_of(self, sha: str) -> Json:
        """Return GitHub's description of a commit."""
        fields = "%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
        told = self.git("show", "--no-patch", f"--format={fields}", f"{sha}^{{commit}}").split("\0")
        tree, parents, *people, message = told
        author, committer = (
            dict(zip(("name", "email", "date"), people[at : at + 3], strict=True)) for at in (0, 3)
        )
        signed = committer["email"] == "noreply@github.com"
        return {
            "sha": sha,
            "node_id": f"C_{sha[:8]}",
            "url": f"{self.url}/git/commits/{sha}",
            "html_url": f"{self.page}/commit/{sha}",
            "author": author,
            "committer": committer,
            "message": message.strip(),
            "tree": {"sha": tree, "url": f"{self.url}/git/trees/{tree}"},
            "parents": [
                {
                    "sha": each,
                    "url": f"{self.url}/git/commits/{each}",
                    "html_url": f"{self.page}/commit/{each}",
                }
                for each in parents.split()
            ],
            "verification": {
                "verified": signed,
                "reason": "valid" if signed else "unsigned",
                "signature": "-----BEGIN PGP SIGNATURE-----" if signed else None,
                "payload": f"tree {tree}" if signed else None,
                "verified_at": committer["date"] if signed else None,
            },
        }

    def tree_of(self, sha: str, *, recursive: bool = False) -> Json:
        """Return GitHub's description of a tree."""
        words = ["-r", "-t"] if recursive else []
        listed = self.git("ls-tree", "-z", "--long", *words, sha).split("\0")
        entries = []
        for line in filter(None, listed):
            said, _, path = line.partition("\t")
            mode, kind, each, size = said.split()
            entry = {"path": path, "mode": mode, "type": kind, "sha": each}
            entry["url"] = f"{self.url}/git/{kind}s/{each}"
            entries.append(entry | ({"size": int(size)} if kind == "blob" else {}))
        tree = self.git("rev-parse", f"{sha}^{{tree}}")
        return {"sha": tree, "url": f"{self.url}/git/trees/{tree}", "tree": entries, "truncated": False}


@routes("GET", "/git/ref/{rest}", "contents: read")
def _get_ref(commits: Commits, _: Request, rest: str) -> Json:
    return commits.ref_of(rest)


@routes("GET", "/git/matching-refs/{rest}", "contents: read")
def _matching_refs(commits: Commits, _: Request, rest: str) -> list[Json]:
    names = commits.git("for-each-ref", "--format=%(refname:strip=1)").splitlines()
    return [commits.ref_of(name) for name in names if name.startswith(rest)]


@routes("POST", "/git/refs", "contents: write", status=201)
def _new_ref(commits: Commits, request: Request) -> Json:
    name = str(request.body["ref"]).removeprefix("refs/")
    if commits.ref(name):
        raise Refused(422, "Reference already exists")
    _set(commits, name, str(request.body["sha"]))
    return commits.ref_of(name)


@routes("PATCH", "/git/refs/{rest}", "contents: write")
def _move_ref(commits: Commits, request: Request, rest: str) -> Json:
    old, new = commits.ref(rest), str(request.body["sha"])
    if not old:
        raise Refused(422, "Reference does not exist")
    if rest.removeprefix("tags/") in commits.locked_tags:
        raise Refused(422, "Cannot update this protected ref.")
    if not request.body.get("force") and commits.git("merge-base", old, new) != old:
        raise Refused(422, "Update is not a fast forward")
    _set(commits, rest, new)
    return commits.ref_of(rest)


def _set(commits: Commits, name: str, sha: str) -> None:
    try:
        commits.git("cat-file", "-e", f"{sha}^{{commit}}")
    except Refused:
        raise Refused(422, "Object does not exist") from None
    if commits.touches_workflows(sha):
        # no job can have the permission `workflows`
        raise Refused(403, "Resource not accessible by integration")
    commits.git("update-ref", f"refs/{name}", sha)


@routes("DELETE", "/git/refs/{rest}", "contents: write", status=204)
def _delete_ref(commits: Commits, _: Request, rest: str) -> None:
    if not commits.ref(rest):
        raise Refused(422, "Reference does not exist")
    if rest.removeprefix("tags/") in commits.locked_tags:
        raise Refused(422, "Cannot delete this protected ref.")
    commits.git("update-ref", "-d", f"refs/{rest}")


@routes("POST", "/git/blobs", "contents: write", status=201)
def _new_blob(commits: Commits, request: Request) -> Json:
    text, encoding = str(request.body["content"]), request.body.get("encoding", "utf-8")
    data = base64.b64decode(text) if encoding == "base64" else text.encode()
    sha = commits.git("hash-object", "-w", "--stdin", data=data)
    return {"sha": sha, "url": f"{commits.url}/git/blobs/{sha}"}


@routes("GET", "/git/blobs/{sha}", "contents: read")
def _get_blob(commits: Commits, _: Request, sha: str) -> Json:
    size = int(commits.git("cat-file", "-s", sha))
    data = commits.git("cat-file", "blob", sha).encode(errors="surrogateescape")
    return {
        "sha": sha,
        "node_id": f"B_{sha[:8]}",
        "url": f"{commits.url}/git/blobs/{sha}",
        "size": size,
        "content": base64.encodebytes(data).decode(),
        "encoding": "base64",
    }


@routes("GET", "/git/trees/{rest}", "contents: read")
def _get_tree(commits: Commits, request: Request, rest: str) -> Json:
    return commits.tree_of(rest, recursive="recursive" in request.query)


@routes("POST", "/git/trees", "contents: write", status=201)
def _new_tree(commits: Commits, request: Request) -> Json:
    entries: list[Json] = request.body["tree"]
    with tempfile.TemporaryDirectory(dir=commits.folder) as scratch:
        environ = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}  # noqa: PTH118 - a variable's text
        if base := request.body.get("base_tree"):
            commits.git("read-tree", str(base), environ=environ)
        for entry in entries:
            if "content" in entry:
                sha = commits.git("hash-object", "-w", "--stdin", data=str(entry["content"]).encode())
            elif entry.get("sha") is None:
                commits.git("update-index", "--force-remove", str(entry["path"]), environ=environ)
                continue
            else:
                sha = str(entry["sha"])
            said = f"{entry['mode']},{sha},{entry['path']}"
            commits.git("update-index", "--add", "--cacheinfo", said, environ=environ)
        return commits.tree_of(commits.git("write-tree", environ=environ))


@routes("POST", "/git/commits", "contents: write", status=201)
def _new_commit(commits: Commits, request: Request) -> Json:
    author = request.body.get("author") or _WHO
    committer = request.body.get("committer") or request.body.get("author")
    if not committer:  # GitHub commits, and signs
        committer = {"name": "GitHub", "email": "noreply@github.com"}
    environ = {}
    for role, who in (("AUTHOR", author), ("COMMITTER", committer)):
        for name in ("name", "email", "date"):
            if name in who:
                environ[f"GIT_{role}_{name.upper()}"] = str(who[name])
    parents = [word for parent in request.body.get("parents", ()) for word in ("-p", str(parent))]
    words = ("commit-tree", str(request.body["tree"]), *parents, "-m", str(request.body["message"]))
    return commits.commit_of(commits.git(*words, environ=environ))


@routes("GET", "/git/commits/{sha}", "contents: read")
def _get_commit(commits: Commits, _: Request, sha: str) -> Json:
    return commits.commit_of(commits.git("rev-parse", "--verify", f"{sha}^{{commit}}"))


@routes("POST", "/git/tags", "contents: write", status=201)
def _new_tag(commits: Commits, request: Request) -> Json:
    body: Json = request.body
    tagger = body.get("tagger") or _WHO
    said = f"object {body['object']}\ntype {body['type']}\ntag {body['tag']}\n"
    said += f"tagger {tagger['name']} <{tagger['email']}> 0 +0000\n\n{body['message']}\n"
    sha = commits.git("mktag", data=said.encode())
    return {
        "sha": sha,
        "node_id": f"TA_{sha[:8]}",
        "url": f"{commits.url}/git/tags/{sha}",
        "tag": body["tag"],
        "message": body["message"],
        "tagger": {**tagger, "date": "1970-01-01T00:00:00Z"},
        "object": {"type": body["type"], "sha": body["object"], "url": f"{commits.url}/git/{body['type']}s"},
    }


@routes("GET", "/contents/{rest}", "contents: read")
def _contents(commits: Commits, request: Request, rest: str) -> Json:
    ref = request.query.get("ref", "main")
    sha = commits.git("rev-parse", "--verify", f"{ref}:{rest}")
    blob = _get_blob(commits, request, sha)
    url = f"{commits.url}/contents/{rest}?ref={ref}"
    page = f"{commits.page}/blob/{ref}/{rest}"
    return {
        "type": "file",
        "encoding": "base64",
        "size": blob["size"],
        "name": rest.rpartition("/")[2],
        "path": rest,
        "content": blob["content"],
        "sha": sha,
        "url": url,
        "git_url": blob["url"],
        "html_url": page,
        "download_url": page,
        "_links": {"self": url, "git": blob["url"], "html": page},
    }


def wrong_target(commits: Commits, target: str) -> Refused | None:
    """Return what is wrong with a release's commit or branch."""
    try:
        commits.git("rev-parse", "--verify", f"{target}^{{commit}}")
    except Refused:
        return invalid("Release", "target_commitish", "invalid")
    return None
