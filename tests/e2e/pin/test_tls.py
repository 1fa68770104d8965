"""`pin` and a registry that speaks TLS, whose certificate an authority of the test's own has signed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pin_servers import Registry, real_registry

from e2e.pin.fleet import Fleet

OWN = "subjectAltName = IP:127.0.0.1\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n"
SIGNS = ("-addext", "keyUsage = critical, keyCertSign")
"""Without which Python 3.13 takes no authority."""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Make an authority (ca.pem), and a certificate of the loopback that it has signed (own.pem, own.key)."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "own.cnf").write_text(OWN, "utf-8")
    key = ("-newkey", "rsa:2048", "-nodes")
    own = ("-days", "2", "-subj", "/CN=test", *SIGNS)
    openssl(folder, "req", "-x509", *key, *own, "-keyout", "ca.key", "-out", "ca.pem")
    openssl(folder, "req", *key, "-subj", "/CN=registry", "-keyout", "own.key", "-out", "own.csr")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "own.cnf")
    openssl(folder, "x509", "-req", "-in", "own.csr", *signed, "-out", "own.pem")
    return folder


def test_a_registry_with_an_authority_of_ones_own(
    fleet: Fleet, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = str(certificates / "ca.pem")
    tls = f', tls: {{certificate: "{certificates / "own.pem"}", key: "{certificates / "own.key"}"}}'
    with real_registry(tmp_path / "closed", tls=tls) as address, monkeypatch.context() as trusting:
        trusting.setenv("SSL_CERT_FILE", authority)
        closed = Registry(address, scheme="https")
        digest = closed.push("vllm", "v0.9.1")
        closed.push("redis", "latest")
        trusting.delenv("SSL_CERT_FILE")
        fleet.registry = address
        fleet.add("box")
        refused = fleet.run("pin", "box", code=1)
        assert fleet.text() == ""
        fleet.variables["SSL_CERT_FILE"] = authority
        fleet.run("pin", "box")

    assert "certificate is not trusted here" in refused
    assert "SSL_CERT_FILE names a file" in refused
    assert fleet.lock()["images"][f"{address}/vllm:v0.9.1"]["digest"] == digest
