"""A hub that gives files: as much of its API as a download needs, on loopback."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler

from pin_servers import Front, Refusal

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000
"""From this size on, a file is named by its digest."""


class FilesHub(Front):
    """Repositories with their files; it can break a transfer, or refuse to give files."""

    def __init__(self, repos: Mapping[str, Mapping[str, bytes]]) -> None:
        super().__init__()
        self.repos = repos
        self.breaks: list[int] = []
        """After how many bytes each of the next large transfers breaks."""
        self.gated = False
        self.sent: list[tuple[str, str]] = []
        """Name of each large file that was asked for, and the range."""

    def own_answer(self, request: BaseHTTPRequestHandler) -> Refusal:
        """Describe a repository, or give a file or a part of it."""
        path, _, _ = request.path.partition("?")
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            files = self.repos.get("/".join(parts[2:4]))
            return _described("/".join(parts[2:4]), files, gated=self.gated)
        files = self.repos.get("/".join(parts[:2]))
        name = "/".join(parts[4:])
        if files is None or name not in files:
            return Refusal(404, {"X-Error-Code": "EntryNotFound"})
        if self.gated:
            return Refusal(403, {"X-Error-Code": "GatedRepo"})
        return self._file(request, name, files[name])

    def _file(self, request: BaseHTTPRequestHandler, name: str, body: bytes) -> Refusal:
        headers = {
            "X-Repo-Commit": COMMIT, "ETag": f'"{blob_of(body)}"', "Content-Length": str(len(body)),
            "Accept-Ranges": "bytes",
        }  # fmt: skip
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if request.command == "HEAD":
            return Refusal(200, headers, b"")
        if len(body) >= LARGE:
            self.sent.append((name, request.headers.get("Range", "")))
        del headers["Content-Length"]
        if self.breaks and len(body) >= LARGE:
            end = start + self.breaks.pop(0)
            request.send_response(206 if asked else 200)
            request.send_header("Content-Length", str(len(body) - start))
            request.end_headers()
            request.wfile.write(body[start:end])
            request.wfile.flush()
            request.close_connection = True
            raise ConnectionAbortedError
        return Refusal(206 if asked else 200, headers, body[start:])


def blob_of(body: bytes) -> str:
    """Return how a cache names a content."""
    if len(body) >= LARGE:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def _described(name: str, files: Mapping[str, bytes] | None, *, gated: bool) -> Refusal:
    if files is None:
        return Refusal(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}")
    siblings = []
    for file, body in files.items():
        lfs = {"sha256": blob_of(body), "size": len(body), "pointerSize": 130}
        entry = {"rfilename": file, "size": len(body), "blobId": blob_of(b"x" + body[:10])}
        siblings.append({**entry, "lfs": lfs} if len(body) >= LARGE else {**entry, "blobId": blob_of(body)})
    data = {"id": name, "sha": COMMIT, "gated": gated, "tags": [], "siblings": siblings}
    return Refusal(200, {"Content-Type": "application/json"}, json.dumps(data).encode())
