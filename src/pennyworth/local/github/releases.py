"""Releases, their files and notes.

https://docs.github.com/rest/releases
"""

import hashlib
from typing import Any

from pennyworth.local.github.answers import Redirect, Refused, Request, Routes, invalid, not_found
from pennyworth.local.github.git import Commits, wrong_target
from pennyworth.local.github.issues import now, user

Json = dict[str, Any]

routes = Routes()

_CHANGEABLE = ("tag_name", "target_commitish", "name", "body", "draft", "prerelease")


class Releases:
    """The repository's releases."""

    def __init__(self, commits: Commits, url: str, page: str, storage: str) -> None:
        """
        Args:
            commits: the repository's commits.
            url: the repository's API URL.
            page: the repository's web page.
            storage: the URL that files are downloaded from, on another host than the API, without a token.
        """
        self.commits = commits
        self.immutable = True
        """The repository's setting *release immutability*."""
        self.all: dict[int, Json] = {}
        """Releases by ID in GitHub's format, including drafts."""
        self.files: dict[int, bytes] = {}
        """The content of the releases' files, by the file's ID."""
        self._url = url
        self._page = page
        self.storage = storage

    def published(self) -> list[Json]:
        """Return the published releases, newest first."""
        return [release for release in reversed(self.all.values()) if not release["draft"]]

    def content(self, tag: str) -> dict[str, bytes]:
        """Return the files of a tag's release, by name."""
        (release,) = (one for one in self.all.values() if one["tag_name"] == tag)
        return {asset["name"]: self.files[asset["id"]] for asset in release["assets"]}

    def add(self, body: Json) -> Json:
        """Create a release. Publishes it unless it is a draft."""
        identity = max(self.all, default=0) + 1
        url = f"{self._url}/releases/{identity}"
        tag = str(body["tag_name"])
        release = {
            "id": identity,
            "node_id": f"RE_{identity}",
            "url": url,
            "html_url": f"{self._page}/releases/tag/{tag}",
            "assets_url": f"{url}/assets",
            "upload_url": f"{url}/assets{{?name,label}}",
            "tarball_url": None,
            "zipball_url": None,
            "tag_name": tag,
            "target_commitish": body.get("target_commitish", "main"),
            "name": body.get("name"),
            "body": body.get("body"),
            "draft": True,
            "prerelease": body.get("prerelease", False),
            "immutable": False,
            "created_at": now(),
            "updated_at": now(),
            "published_at": None,
            "author": user(),
            "assets": [],
        }
        if refused := wrong_target(self.commits, str(release["target_commitish"])):
            raise refused
        if not body.get("draft", False):
            self._publish(release)
        self.all[identity] = release
        return release

    def change(self, release: Json, body: Json) -> Json:
        """Change a release, or publish it."""
        fields = {name: body[name] for name in _CHANGEABLE if name in body}
        if release["immutable"] and set(fields) - {"name", "body", "prerelease"}:
            raise invalid("Release", "tag_name", "custom", "Cannot change an immutable release")
        publish = release["draft"] and fields.get("draft") is False
        changed = release | {**fields, "draft": release["draft"], "updated_at": now()}
        if publish:
            self._publish(changed)
        release |= changed
        return release

    def _publish(self, release: Json) -> None:
        tag = str(release["tag_name"])
        if any(other["tag_name"] == tag for other in self.published()):
            raise invalid("Release", "tag_name", "already_exists")
        if tag in self.commits.locked_tags:
            raise invalid("Release", "tag_name", "custom", "tag_name was used by an immutable release")
        if not self.commits.ref(f"tags/{tag}"):
            commit = self.commits.git("rev-parse", f"{release['target_commitish']}^{{commit}}")
            if self.commits.touches_workflows(commit):
                raise Refused(403, "Resource not accessible by integration")
            self.commits.git("update-ref", f"refs/tags/{tag}", commit)
        release |= {"draft": False, "published_at": now(), "immutable": self.immutable}
        if self.immutable:
            self.commits.locked_tags.add(tag)

    def attach(self, release: Json, name: str, content: bytes, media_type: str) -> Json:
        """Add a file to a release."""
        if release["immutable"]:
            raise Refused(422, "Cannot upload assets to an immutable release.")
        if any(asset["name"] == name for asset in release["assets"]):
            raise invalid("ReleaseAsset", "name", "already_exists")
        identity = max(self.files, default=100) + 1
        self.files[identity] = content
        asset = {
            "id": identity,
            "node_id": f"RA_{identity}",
            "url": f"{self._url}/releases/assets/{identity}",
            "browser_download_url": f"{self._page}/releases/download/{release['tag_name']}/{name}",
            "name": name,
            "label": None,
            "state": "uploaded",
            "content_type": media_type,
            "size": len(content),
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "download_count": 0,
            "created_at": now(),
            "updated_at": now(),
            "uploader": user(),
        }
        release["assets"].append(asset)
        return asset


def _release(releases: Releases, number: str) -> Json:
    try:
        return releases.all[int(number)]
    except KeyError:
        raise not_found() from None


@routes("GET", "/releases", "contents: read")
def _list(releases: Releases, _: Request) -> list[Json]:
    # GitHub shows drafts only to those who may push; here every draft is the job's own
    return list(reversed(releases.all.values()))


@routes("GET", "/releases/latest", "contents: read")
def _latest(releases: Releases, _: Request) -> Json:
    for release in releases.published():
        if not release["prerelease"]:
            return release
    raise not_found()


@routes("GET", "/releases/tags/{tag}", "contents: read")
def _by_tag(releases: Releases, _: Request, tag: str) -> Json:
    for release in releases.published():
        if release["tag_name"] == tag:
            return release
    raise not_found()


@routes("GET", "/releases/assets/{number}", "contents: read", status=302)
def _file(releases: Releases, _: Request, number: str) -> Redirect:
    # to clients that accept application/octet-stream, as ours does; to others GitHub describes the file
    if int(number) not in releases.files:
        raise not_found()
    return Redirect(f"{releases.storage}/{number}")


@routes("POST", "/releases", "contents: write", status=201)
def _new(releases: Releases, request: Request) -> Json:
    return releases.add(request.body)


@routes("POST", "/releases/generate-notes", "contents: write")
def _notes(releases: Releases, request: Request) -> Json:
    tag = str(request.body["tag_name"])
    since = request.body.get("previous_tag_name") or next(
        (release["tag_name"] for release in releases.published()), None
    )
    page = releases.commits.page
    link = f"{page}/compare/{since}...{tag}" if since else f"{page}/commits/{tag}"
    return {"name": tag, "body": f"## What's Changed\n\n**Full Changelog**: {link}"}


@routes("GET", "/releases/{number}", "contents: read")
def _get(releases: Releases, _: Request, number: str) -> Json:
    return _release(releases, number)


@routes("PATCH", "/releases/{number}", "contents: write")
def _change(releases: Releases, request: Request, number: str) -> Json:
    return releases.change(_release(releases, number), request.body)


@routes("DELETE", "/releases/{number}", "contents: write", status=204)
def _delete(releases: Releases, _: Request, number: str) -> None:
    _release(releases, number)
    del releases.all[int(number)]


@routes("GET", "/releases/{number}/assets", "contents: read")
def _assets(releases: Releases, _: Request, number: str) -> list[Json]:
    assets: list[Json] = _release(releases, number)["assets"]
    return assets


@routes("POST", "/releases/{number}/assets", "contents: write", status=201)
def _attach(releases: Releases, request: Request, number: str) -> Json:
    content = request.body if isinstance(request.body, bytes) else b""
    return releases.attach(
        _release(releases, number),
        request.query["name"],
        content,
        request.media_type or "application/octet-stream",
    )


@routes("GET", "/immutable-releases", "administration: read")
def _immutable(releases: Releases, _: Request) -> Json:
    return {"enabled": releases.immutable, "enforced_by_owner": False}
