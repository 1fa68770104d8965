"""A host behind a proxy, with certificates of its own, and one cache of the hub for all engines."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from inventories import UUID_A, faults_of

from anvil_gen.deploy.pipeline import Generator

HEAD = f"""schema = 1
gpus.a.uuid = "{UUID_A}"
[hfcache]
path = "/srv/hf"
"""
PROXY = '[host]\nproxy = "http://proxy.example:3128"\n'
DEAD = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")


class Healthy(BaseHTTPRequestHandler):
    """Answers every request with 200."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def services(text: str, folder: Path, tier: str = "one") -> dict[str, Any]:
    """Return the services of a tier's file."""
    (folder / "box.toml").write_text(text, "utf-8")
    found: dict[str, Any] = Generator().render(folder / "box.toml").tree.data[f"tiers/{tier}.yml"]["services"]
    return found


def tier(engine: str, more: str = "", *, name: str = "one") -> str:
    task = 'task = "embedding"\n' if engine == "tei" else ""
    return f'[tiers.{name}]\nengine = "{engine}"\nmodel = {{ repo = "org/name" }}\n{task}{more}'


@pytest.mark.parametrize("engine", ["tei", "llamacpp", "vllm", "sglang"])
def test_a_health_check_asks_no_proxy(engine: str, tmp_path: Path) -> None:
    gpus = "" if engine in ("tei", "llamacpp") else 'gpus = ["a"]\n'
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = HEAD + tier(engine, f"{gpus}port = {server.server_port}\n")
        check = services(text, tmp_path)["one"]["healthcheck"]["test"]
        done = subprocess.run(check[1:], env={**os.environ, **DEAD}, capture_output=True, check=False)
        server.shutdown()

    assert (check[0], done.returncode, done.stderr) == ("CMD", 0, b"")


def test_a_proxy_is_told_to_what_fetches_alone(tmp_path: Path) -> None:
    own = '[tiers.own]\nengine = "llamacpp"\nport = 9001\nmodel = { file = "/srv/m.gguf" }\n'
    text = HEAD + PROXY + tier("vllm", 'gpus = ["a"]\nreplicas = 1\n') + own
    text += '[services.ui]\nimage = "ui:1"\n[router]\nservice = "door"\n'

    told = services(text, tmp_path)["one"]["environment"]
    assert (told["HTTP_PROXY"], told["HTTPS_PROXY"]) == ("http://proxy.example:3128",) * 2
    assert told["NO_PROXY"] == "localhost,127.0.0.1,0.0.0.0,door,one,own,ui"
    assert not {"HTTPS_PROXY", "NO_PROXY"} & set(services(text, tmp_path, "own")["own"].get("environment", {}))


def test_what_a_tier_says_itself_has_the_last_word(tmp_path: Path) -> None:
    text = HEAD + PROXY + tier("llamacpp", 'environment = { HTTPS_PROXY = "http://b:1", HTTP_PROXY = false }\n')
    told = services(text, tmp_path)["one"]["environment"]

    assert told["HTTPS_PROXY"] == "http://b:1"
    assert "HTTP_PROXY" not in told


def test_a_host_without_a_way_out_has_no_proxy(tmp_path: Path) -> None:
    text = HEAD + PROXY + 'egress = "deny"\n' + tier("tei", 'environment.HF_HUB_OFFLINE = "1"\n') + "[router]\n"

    assert services(text, tmp_path)["one"]["environment"] == {
        "HUGGINGFACE_HUB_CACHE": "/data/hub",
        "HF_HUB_OFFLINE": "1",
    }


def test_a_proxy_with_a_password_is_refused(tmp_path: Path) -> None:
    text = HEAD + '[host]\nproxy = "http://me:hunter2@proxy.example:3128"\n' + tier("llamacpp")
    faults = faults_of(text, tmp_path)

    assert {fault.address for fault in faults} == {"host.proxy"}
    assert not any("hunter2" in f"{fault.detail}{fault.remedy}" for fault in faults)


def test_certificates_of_ones_own_reach_what_fetches(tmp_path: Path) -> None:
    text = HEAD + '[host]\nca_file = "/etc/ssl/certs/own.pem"\n' + tier("ollama")
    found = services(text, tmp_path)

    for service in (found["one"], found["one-pull"]):
        assert service["environment"]["SSL_CERT_FILE"] == "/etc/anvil-gen/ca.pem"
        assert {
            "type": "bind",
            "source": "/etc/ssl/certs/own.pem",
            "target": "/etc/anvil-gen/ca.pem",
            "read_only": True,
            "bind": {"create_host_path": False},
        } in service["volumes"]


def test_what_pulls_has_the_environment_of_its_server(tmp_path: Path) -> None:
    found = services(HEAD + tier("ollama", 'environment.HTTPS_PROXY = "http://proxy.example:3128"\n'), tmp_path)
    server, pull = found["one"]["environment"], found["one-pull"]["environment"]

    assert pull == {name: value for name, value in server.items() if name != "OLLAMA_HOST"}
    assert pull["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert pull["OLLAMA_MODELS"] == "/hub/ollama"


@pytest.mark.parametrize("kind", ["anvil", "litellm"])
def test_a_router_asks_its_tiers_without_a_proxy(kind: str, tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(f'{HEAD}{tier("llamacpp")}[router]\nkind = "{kind}"\n', "utf-8")
    router = Generator().render(tmp_path / "box.toml").tree.data["router/compose.yml"]["services"]["router"]

    assert {router["environment"][name] for name in ("NO_PROXY", "no_proxy")} == {"*"}


@pytest.mark.parametrize(
    ("engine", "variable", "hub", "mounted_at"),
    [
        ("llamacpp", "HF_HUB_CACHE", "/root/.cache/huggingface/hub", "/root/.cache/huggingface"),
        ("tei", "HUGGINGFACE_HUB_CACHE", "/data/hub", "/data"),
    ],
)
def test_engines_look_where_the_hub_s_own_tools_write(
    engine: str, variable: str, hub: str, mounted_at: str, tmp_path: Path
) -> None:
    service = services(HEAD + tier(engine), tmp_path)["one"]

    assert service["environment"] == {variable: hub}
    assert [(mount["source"], mount["target"]) for mount in service["volumes"]] == [("/srv/hf", mounted_at)]


@pytest.mark.parametrize("image", ["vllm/vllm-openai-nonroot:v0.33.0", "registry.example/x/vllm-openai-nonroot:local"])
def test_an_image_whose_user_is_not_root_keeps_its_caches_at_home(image: str, tmp_path: Path) -> None:
    service = services(HEAD + tier("vllm", f'gpus = ["a"]\nimage = "{image}"\n'), tmp_path)["one"]

    assert service["environment"]["TRITON_CACHE_DIR"] == "/home/vllm/.cache/triton"
    assert {mount["target"]: mount["source"] for mount in service["volumes"]} == {
        "/home/vllm/.cache/huggingface": "/srv/hf",
        "/home/vllm/.cache": "vllm-home-cache",
    }
