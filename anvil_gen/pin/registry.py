"""What an image's registry says of its tag: the digest, the platforms, the other tags."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from anvil_gen.diagnostics import DiagnosticError, join_words, printable
from anvil_gen.inventory.lock_file import ImagePin
from anvil_gen.patterns import lazy_pattern
from anvil_gen.pin.docker_credentials import Credentials, credentials_of
from anvil_gen.pin.image_reference import DOCKER_HUB, ImageReference, parse_image
from anvil_gen.pin.no_answer import NotAnsweredError
from anvil_gen.pin.web import Answer, NoAnswerError, Web, speaks_tls

_LISTS = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_SINGLE = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = ", ".join((*_LISTS, *_SINGLE))
_DIGEST = lazy_pattern(r"sha256:[0-9a-f]{64}")
_MOST_PAGES = 50
_BUSY = 429


class _Manifest(Struct, frozen=True, kw_only=True):
    digest: str
    data: Mapping[str, Any]


class Registries:
    """Asks registries, as the user whom `docker login` has left."""

    def __init__(self, web: Web | None = None) -> None:
        self._web = web or Web()
        self._authorization: dict[tuple[str, str], str] = {}
        self._schemes: dict[str, str] = {}

    def pin(self, name: str, architecture: str) -> ImagePin:
        """Return what an image's tag means, for a host of an architecture.

        Raises:
            NotAnsweredError: the registry does not say it, or the image is none for the host.
        """
        image = parse_image(name)
        manifest = self._manifest(image, image.digest or image.tag)
        platforms = self._platforms(image, manifest)
        wanted = f"linux/{architecture}"
        if not any(platform == wanted or platform.startswith(f"{wanted}/") for platform in platforms):
            detail = f"{name} is for {join_words(platforms) or 'no platform'}, and the host is {wanted}"
            remedy = "name an image for it, or set architecture in [host]"
            raise NotAnsweredError("image-for-another-platform", detail, remedy)
        return ImagePin(digest=manifest.digest, platforms=platforms)

    def digest(self, name: str) -> str:
        """Return the digest that an image's tag has now; a registry does not count this as a pull.

        Raises:
            NotAnsweredError: the registry does not say it.
        """
        image = parse_image(name)
        answer = self._ask(image, f"manifests/{image.tag}", method="HEAD")
        found = answer.headers.get("docker-content-digest", "")
        return found if _DIGEST.fullmatch(found) else self._manifest(image, image.tag).digest

    def has(self, name: str, digest: str) -> bool:
        """Tell whether a registry still has an image by its digest.

        Raises:
            NotAnsweredError: the registry does not say it.
        """
        try:
            self._ask(parse_image(name), f"manifests/{digest}", method="HEAD")
        except NotAnsweredError as error:
            if error.code == "image-is-not-in-its-registry":
                return False
            raise
        return True

    def tags(self, name: str) -> list[str]:
        """Return all tags of an image.

        Raises:
            NotAnsweredError: the registry does not say it.
        """
        image = parse_image(name)
        found: list[str] = []
        path = "tags/list?n=1000"
        for _ in range(_MOST_PAGES):
            answer = self._ask(image, path)
            data = _json(image, answer)
            found += [str(tag) for tag in data.get("tags") or ()]
            following = re.search(r'<([^>]+)>;\s*rel="?next', answer.headers.get("link", ""))
            if following is None:
                break
            query = urlsplit(following[1]).query
            path = f"tags/list?{query}"
        return found

    def _manifest(self, image: ImageReference, reference: str) -> _Manifest:
        answer = self._ask(image, f"manifests/{reference}")
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        told = answer.headers.get("docker-content-digest", digest)
        data = _json(image, answer)
        kind = str(data.get("mediaType") or answer.headers.get("content-type", "").partition(";")[0])
        is_known = kind in (*_LISTS, *_SINGLE) and data.get("schemaVersion") == 2
        if told != digest or (image.digest and image.digest != digest):
            raise _unexpected(image, "what it sends has another digest than it says")
        if not is_known:
            raise _unexpected(image, f"it has the image in the form {printable(kind) or 'of old'}, which has no digest")
        return _Manifest(digest=digest, data=data)

    def _platforms(self, image: ImageReference, manifest: _Manifest) -> tuple[str, ...]:
        """Return the platforms of an image, sorted; those of a single manifest are in its configuration."""
        listed = manifest.data.get("manifests")
        if listed is not None:
            entries = [entry.get("platform") or {} for entry in listed if isinstance(entry, dict)]
        else:
            digest = str((manifest.data.get("config") or {}).get("digest", ""))
            if not _DIGEST.fullmatch(digest):
                raise _unexpected(image, "the image has no configuration")
            entries = [_json(image, self._ask(image, f"blobs/{digest}"))]
        found = {
            "/".join(str(entry[key]) for key in ("os", "architecture", "variant") if entry.get(key))
            for entry in entries
            if entry.get("os") not in (None, "unknown")  # an attestation
        }
        return tuple(sorted(map(printable, found)))

    def _base(self, image: ImageReference) -> str:
        """Return where a registry is; one on this machine may do without TLS, as for Docker."""
        host = f"registry-1.{DOCKER_HUB}" if image.registry == DOCKER_HUB else image.registry
        if host not in self._schemes:
            self._schemes[host] = "http" if image.is_local and not speaks_tls(host) else "https"
        return f"{self._schemes[host]}://{host}"

    def _ask(self, image: ImageReference, path: str, *, method: str = "GET") -> Answer:
        url, key = f"{self._base(image)}/v2/{image.repository}/{path}", (image.registry, image.repository)
        known = self._authorization.get(key)
        answer = self._send(image, method, url, known)
        if answer.status == 401:
            login = self._login(image)
            known = self._authorize(image, answer.headers.get("www-authenticate", ""), login)
            answer = self._send(image, method, url, known) if known else answer
            if answer.status in (401, 403):
                raise _refused(image, login)
            self._authorization[key] = known or ""
        if answer.status == 403:
            raise _refused(image, self._login(image))
        if answer.status == 404:
            raise _missing(image, path, answer)
        if answer.status == _BUSY:
            remedy = f"run it again later, or log in, which allows more: docker login {_shown(image)}"
            raise NotAnsweredError(
                "registry-limits-requests", f"{image.registry} answers 429 for {_name(image)}", remedy
            )
        if answer.status != 200:
            detail = f"{image.registry} answers {answer.status} for {_name(image)}"
            raise NotAnsweredError("registry-does-not-answer", detail, "run it again later")
        return answer

    def _login(self, image: ImageReference) -> Credentials | None:
        try:
            return credentials_of(image.registry)
        except DiagnosticError as error:
            found = error.diagnostics[0]
            raise NotAnsweredError(found.code, f"{found.location}: {found.detail}", found.remedy) from None

    def _authorize(self, image: ImageReference, challenge: str, login: Credentials | None) -> str | None:
        """Return the header that a registry asks for; None where it asks for what we have not."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return login.basic if login is not None and not login.identity else None
        values = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = urljoin(self._base(image), values.get("realm", ""))
        if scheme.lower() != "bearer" or not (realm.startswith("https://") or image.is_local):
            return None  # nobody's password goes over an open line
        token = self._token(image, realm, {key: values[key] for key in ("service", "scope") if key in values}, login)
        return f"Bearer {token}" if token else None

    def _token(
        self, image: ImageReference, realm: str, asked: Mapping[str, str], login: Credentials | None
    ) -> str | None:
        if login is not None and login.identity:
            form = {**asked, "grant_type": "refresh_token", "refresh_token": login.secret, "client_id": "anvil-gen"}
            answer = self._request(image, "POST", realm, {}, form)
        else:
            query = "&".join(f"{key}={value}" for key, value in _quoted(asked))
            headers = {"Authorization": login.basic} if login is not None else {}
            answer = self._request(image, "GET", f"{realm}{'&' if '?' in realm else '?'}{query}", headers)
        if answer.status != 200:
            return None
        data = _json(image, answer)
        return str(data.get("token") or data.get("access_token") or "") or None

    def _send(self, image: ImageReference, method: str, url: str, authorization: str | None) -> Answer:
        headers = {"Accept": _ACCEPT, **({"Authorization": authorization} if authorization else {})}
        return self._request(image, method, url, headers)

    def _request(
        self,
        image: ImageReference,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        try:
            return self._web.send(method, url, headers, form)
        except NoAnswerError as error:
            detail = f"{image.registry}, asked for {_name(image)}: {printable(str(error))}"
            remedy = "look whether the name is right and the network is up; what is locked already stays as it is"
            raise NotAnsweredError("registry-does-not-answer", detail, remedy) from None


def _quoted(asked: Mapping[str, str]) -> list[tuple[str, str]]:
    from urllib.parse import quote  # noqa: PLC0415

    return [(key, quote(value, safe=":/,")) for key, value in asked.items()]


def _json(image: ImageReference, answer: Answer) -> dict[str, Any]:
    try:
        data = json.loads(answer.body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise _unexpected(image, "it does not answer as a registry does")
    return data


def _name(image: ImageReference) -> str:
    return f"{image.repository}@{image.digest}" if image.digest else f"{image.repository}:{image.tag}"


def _shown(image: ImageReference) -> str:
    return "" if image.registry == DOCKER_HUB else image.registry


def _unexpected(image: ImageReference, what: str) -> NotAnsweredError:
    detail = f"{image.registry}, asked for {_name(image)}: {what}"
    return NotAnsweredError("registry-does-not-answer", detail, "look whether it is the registry that you mean")


def _refused(image: ImageReference, login: Credentials | None) -> NotAnsweredError:
    who = "with the login that Docker has for it" if login is not None else "without a login"
    detail = f"{image.registry} refuses {_name(image)} {who}: it does not exist, or is not for everybody"
    remedy = f"look at the name; to log in:\n\n    docker login {_shown(image)}".rstrip()
    return NotAnsweredError("registry-refuses-the-image", detail, remedy)


def _missing(image: ImageReference, path: str, answer: Answer) -> NotAnsweredError:
    by_digest = "sha256:" in path
    if path.startswith("tags/") or b"NAME_UNKNOWN" in answer.body:
        detail = f"{image.registry} has no {image.repository}"
    elif by_digest:
        detail = f"{image.registry} no longer has {image.repository}@{path.rpartition('/')[2]}"
    else:
        detail = f"{image.registry} has {image.repository} without the tag {image.tag}, or does not have it at all"
    return NotAnsweredError("image-is-not-in-its-registry", detail, "choose another image or tag")
