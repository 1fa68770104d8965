"""What `pin` asks: a real registry on loopback with a front that can refuse, and a stub of the Hugging Face Hub."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from free_ports import free_port

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"

REGISTRY_CONFIGURATION = """version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdir: "{folder}"}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"{tls}}}
{more}
"""


@contextlib.contextmanager
def real_registry(folder: Path, more: str = "", tls: str = "") -> Iterator[str]:
    """Run Debian's registry, and yield its address; ``more`` and ``tls`` go into its configuration."""
    port = free_port()
    folder.mkdir()
    configuration = folder / "registry.yml"
    text = REGISTRY_CONFIGURATION.format(folder=folder / "data", port=port, more=more, tls=tls)
    configuration.write_text(text, "utf-8")
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                assert time.monotonic() < deadline, (folder / "log").read_text("utf-8")
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait()


class Registry(NamedTuple):
    """A registry that images are put into; ``authorization`` is a header's value."""

    address: str
    authorization: str = ""
    scheme: str = "http"

    def push(self, repository: str, tag: str, *, architecture: str = "amd64", form: str = OCI_MANIFEST) -> str:
        """Put an image of one platform under a tag, without layers, and return its digest."""
        config = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}, "n": tag}
        blob = json.dumps(config).encode()
        digest = self._upload(repository, blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": form,
            "config": {"mediaType": _CONFIG, "digest": digest, "size": len(blob)},
            "layers": [],
        }
        return self._put(repository, tag, manifest)

    def push_list(self, repository: str, tag: str, *architectures: str, form: str = OCI_INDEX) -> str:
        """Put a list of images under a tag, with an attestation as buildx adds it, and return the list's digest."""
        single = OCI_MANIFEST if form == OCI_INDEX else DOCKER_MANIFEST
        entries = []
        for architecture in architectures:
            digest = self.push(repository, f"{tag}-{architecture}", architecture=architecture, form=single)
            platform = {"os": "linux", "architecture": architecture}
            entries.append({"mediaType": single, "digest": digest, "size": 1, "platform": platform})
        unknown = {"os": "unknown", "architecture": "unknown"}
        entries.append({**entries[0], "platform": unknown})
        return self._put(repository, tag, {"schemaVersion": 2, "mediaType": form, "manifests": entries})

    def remove(self, repository: str, digest: str) -> None:
        """Remove an image by its digest."""
        self._send("DELETE", f"/v2/{repository}/manifests/{digest}")

    def _put(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> str:
        body = json.dumps(manifest).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", body, str(manifest["mediaType"]))
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _upload(self, repository: str, blob: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        place = self._send("POST", f"/v2/{repository}/blobs/uploads/")["Location"]
        path = place.partition(self.address)[2] or place
        self._send("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest}", blob, "application/octet-stream")
        return digest

    def _send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> Mapping[str, str]:
        headers = {"Content-Type": kind or "application/octet-stream"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        request = urllib.request.Request(f"{self.scheme}://{self.address}{path}", body, headers, method=method)
        # An opener of its own reads SSL_CERT_FILE now; the common one may have been made before the variable was set.
        with urllib.request.build_opener().open(request, timeout=120) as answer:
            return dict(answer.headers)


class Refusal(NamedTuple):
    """An answer instead of the server's own."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class _Server(ThreadingHTTPServer):
    """Says nothing where whoever asked has gone."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Front:
    """A server before another one: it remembers what it is asked, and can answer by itself."""

    def __init__(self, behind: str = "", *, user: str = "", password: str = "") -> None:
        self.behind, self.user, self.password = behind, user, password
        self.refusals: list[Refusal] = []
        """Answered first, one a request."""
        self.asked: list[tuple[str, str, str]] = []
        """Method, path, and the kind of login of each request."""
        self.token = "let-me-in" if user or password else ""
        self.address = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[Front]:
        """Serve on a port of the loopback."""
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                front.answer(self)

            do_HEAD = do_POST = do_GET  # noqa: N815  names of the standard library

            def log_message(self, *_: object) -> None:
                pass

        server = _Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        authorization = request.headers.get("Authorization", "")
        self.asked.append((request.command, request.path, authorization.partition(" ")[0]))
        length = int(request.headers.get("Content-Length") or 0)
        form = dict(urllib.parse.parse_qsl(request.rfile.read(length).decode()))
        if self.refusals:
            found = self.refusals.pop(0)
        elif self.token and request.path.startswith("/token"):
            found = self._token(authorization, form)
        elif self.token and authorization != f"Bearer {self.token}":
            challenge = f'Bearer realm="http://{self.address}/token",service="box",scope="repository:x:pull"'
            found = Refusal(401, {"WWW-Authenticate": challenge}, b"{}")
        else:
            found = self.own_answer(request)
        _reply(request, found)

    def own_answer(self, request: BaseHTTPRequestHandler) -> Refusal:
        """Return what the server behind answers."""
        headers = {"Accept": request.headers.get("Accept", "*/*")}
        asked = urllib.request.Request(f"http://{self.behind}{request.path}", headers=headers, method=request.command)
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return Refusal(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Refusal(error.code, dict(error.headers), error.read())

    def _token(self, authorization: str, form: Mapping[str, str]) -> Refusal:
        basic = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        by_identity = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.password
        if authorization == basic or by_identity:
            return Refusal(200, {}, json.dumps({"token": self.token}).encode())
        return Refusal(401, {}, b"{}")


def _reply(request: BaseHTTPRequestHandler, found: Refusal) -> None:
    request.send_response(found.status)
    for name, value in found.headers.items():
        if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
            request.send_header(name, value)
    length = found.headers.get("Content-Length", str(len(found.body))) if request.command == "HEAD" else None
    request.send_header("Content-Length", length or str(len(found.body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(found.body)


class HubModel(NamedTuple):
    """A model of the stub: its commits by revision, and its files."""

    commits: Mapping[str, str]
    config: Mapping[str, Any] = {}
    tensors: Mapping[str, Mapping[str, int]] = {}  # bytes of each tensor, by file
    gated: str | bool = False
    tags: tuple[str, ...] = ()


def _header(tensors: Mapping[str, int]) -> bytes:
    """Return the beginning of a safetensors file."""
    entries, end = {}, 0
    for name, size in tensors.items():
        entries[name] = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


class HubStub(Front):
    """Speaks as much of the hub's API as asks for a model's commit, its files and its configuration."""

    def __init__(self, models: Mapping[str, HubModel]) -> None:
        super().__init__()
        self.models = dict(models)
        self.access = ""
        """The token that opens gated models."""

    def own_answer(self, request: BaseHTTPRequestHandler) -> Refusal:
        """Return the description of a model, or its configuration."""
        path, _, _ = request.path.partition("?")
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        allowed = request.headers.get("Authorization", "") == f"Bearer {self.access}"
        if parts[:2] == ["api", "models"]:
            name, revision = "/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main"
            return self._described(name, revision)
        if parts[2:3] != ["resolve"]:
            return Refusal(404)  # what the library asks about itself
        name, revision, file = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        model = self.models.get(name)
        if model is None or file not in ("config.json", *model.tensors) or revision not in model.commits.values():
            return Refusal(404, {"X-Error-Code": "EntryNotFound"})
        if model.gated and not allowed:
            return Refusal(403, {"X-Error-Code": "GatedRepo"})
        body = json.dumps(model.config).encode() if file == "config.json" else _header(model.tensors[file])
        etag = f'"{hashlib.sha256(body).hexdigest()[:40]}"'
        headers = {"X-Repo-Commit": revision, "ETag": etag, "Content-Type": "application/json"}
        return Refusal(200, headers, body)

    def _described(self, name: str, revision: str) -> Refusal:
        model = self.models.get(name)
        if model is None:
            return Refusal(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}")
        commit = model.commits.get(revision) or (revision if revision in model.commits.values() else "")
        if not commit:
            return Refusal(404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "no such revision"}, b"{}")
        files = {
            **dict.fromkeys(model.tensors, 1),
            **({"config.json": len(json.dumps(model.config))} if model.config else {}),
        }
        siblings = [{"rfilename": file, "size": size, "blobId": "0" * 40} for file, size in files.items()]
        data = {"id": name, "sha": commit, "gated": model.gated, "tags": model.tags, "siblings": siblings}
        return Refusal(200, {"Content-Type": "application/json"}, json.dumps(data).encode())
