"""The credentials that `docker login` has kept for a registry: in Docker's configuration, or with a helper of it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.machine.docker_config import docker_config_file
from anvil_gen.pin.image_reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_SECONDS = 60.0
"""How long a helper may take: it may ask its user for a password."""
_IDENTITY = "<token>"


class Credentials(Struct, frozen=True, kw_only=True):
    """A login; with ``identity`` the secret is a token that is exchanged for others."""

    user: str
    secret: str
    identity: bool = False

    def __repr__(self) -> str:
        return "Credentials(…)"

    @property
    def basic(self) -> str:
        """The value of the header of basic authentication."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def credentials_of(registry: str, config: Path | None = None) -> Credentials | None:
    """Return the login of a registry, as Docker finds it: a helper of the registry, the helper of all, the file.

    Raises:
        DiagnosticError: the configuration or a helper cannot be read.
    """
    path = docker_config_file() if config is None else config
    data = _read(path)
    key = _HUB_KEY if registry == DOCKER_HUB else registry
    helpers = data.get("credHelpers") or {}
    helper = helpers.get(key) or helpers.get(registry) or data.get("credsStore")
    found = _from_helper(str(helper), key, path) if helper else None
    return found or _from_file(data.get("auths") or {}, registry)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise _unreadable(path, "it is not readable JSON", "log in again: docker login") from None
    return data if isinstance(data, dict) else {}


def _from_helper(helper: str, key: str, path: Path) -> Credentials | None:
    """Ask a helper; None where it has no login for the registry."""
    name = f"docker-credential-{helper}"
    if not re.fullmatch(r"[\w.-]+", helper):
        raise _unreadable(path, "the name of the credential helper is none", "write the name of a program")
    try:
        done = subprocess.run(  # noqa: S603  a program that Docker's configuration names
            [name, "get"],
            input=key,
            capture_output=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise _unreadable(path, f"it names {name}, which is not on the PATH", "install it, or remove it") from None
    except subprocess.TimeoutExpired:
        raise _unreadable(path, f"{name} did not answer within {_SECONDS:.0f} seconds", "see what it asks") from None
    if done.returncode != 0:  # which it says in words that differ from helper to helper
        return None
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise _unreadable(path, f"{name} answers no credentials", "log in again: docker login") from None
    return Credentials(user=user, secret=secret, identity=user == _IDENTITY) if secret else None


def _from_file(logins: Mapping[str, Any], registry: str) -> Credentials | None:
    names = {DOCKER_HUB, "index.docker.io", "registry-1.docker.io"} if registry == DOCKER_HUB else {registry}
    for key, login in logins.items():
        host = re.sub("^https?://", "", key).partition("/")[0]
        if host in names and isinstance(login, dict):
            if login.get("identitytoken"):
                return Credentials(user=_IDENTITY, secret=str(login["identitytoken"]), identity=True)
            try:
                user, colon, secret = base64.b64decode(str(login.get("auth") or "")).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                continue
            if colon:
                return Credentials(user=user, secret=secret.rstrip("\0"))
    return None


def _unreadable(path: Path, detail: str, remedy: str) -> DiagnosticError:
    location = Location(file=path.as_posix())
    return DiagnosticError(
        [Diagnostic(code="credentials-cannot-be-read", detail=detail, remedy=remedy, location=location)]
    )
