"""How Prometheus asks a router: with its key, by TLS, or as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from monitoring_trees import INVENTORY, ON, jobs, rendered, targets


def with_router(text: str) -> str:
    return INVENTORY.replace("[router]\n", f"[router]\n{text}\n") + ON


@pytest.mark.parametrize(
    ("text", "address", "path"),
    [
        ('metrics = "key"\napi_key_env = "ROUTER_TOKEN"', "router:8000", "/metrics"),
        ('kind = "litellm"\napi_key_env = "ROUTER_TOKEN"', "router:4000", "/metrics/"),
        ('kind = "anvil"\napi_key_env = "ROUTER_TOKEN"\nport = 8001', "router:8001", "/metrics"),
    ],
)
def test_a_key_reaches_prometheus_by_a_variable_and_is_in_no_file(
    tmp_path: Path, text: str, address: str, path: str
) -> None:
    lacking = INVENTORY[
        INVENTORY.index("[tiers.vectors]") : INVENTORY.index("[router]")
    ]  # which not every router serves
    tree = rendered(tmp_path, with_router(text).replace(lacking, ""))
    job, service = jobs(tree)["router"], tree.data["services/prometheus.yml"]["services"]["prometheus"]

    assert targets(job)[0].partition(":")[0] == address.partition(":")[0]
    assert job["static_configs"][0]["labels"]["__metrics_path__"] == path
    assert job["authorization"] == {"credentials_file": "/tmp/router-key"}
    assert service["environment"] == {"ROUTER_KEY": "${ROUTER_TOKEN}"}
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    assert "> /tmp/router-key" in service["entrypoint"][2]


def test_a_router_without_a_key_is_asked_without_one(tmp_path: Path) -> None:
    tree = rendered(tmp_path, with_router('metrics = "key"'))

    assert "authorization" not in jobs(tree)["router"]
    assert "entrypoint" not in tree.data["services/prometheus.yml"]["services"]["prometheus"]


def test_a_router_with_tls_is_asked_by_it(tmp_path: Path) -> None:
    tls = 'metrics = "key"\napi_key_env = "ROUTER_TOKEN"\ntls = { certificate = "/c.pem", key = "/k.pem" }'
    job = jobs(rendered(tmp_path, with_router(tls)))["router"]

    assert (job["scheme"], job["tls_config"]) == ("https", {"insecure_skip_verify": True})


def test_a_prometheus_that_is_there_has_the_key_beside_its_configuration(tmp_path: Path) -> None:
    tree = rendered(tmp_path, with_router('metrics = "key"\napi_key_env = "ROUTER_TOKEN"') + "existing = true\n")

    assert jobs(tree)["router"]["authorization"] == {"credentials_file": "router-key"}
    assert targets(jobs(tree)["router"]) == ["127.0.0.1:8000", "127.0.0.1:8000"]
