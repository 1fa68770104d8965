"""`[monitoring]`: services without rights, one name for all engines, alerts by facts, and small diffs."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from inventories import faults_of
from model_facts import CHAT_LOCK
from monitoring_trees import INVENTORY, ON, alerts, jobs, panels, records, rendered, targets
from places import REPOSITORY
from running import fleet

from anvil_gen.catalog.catalog import Catalog


def test_it_is_off_by_default(tmp_path: Path) -> None:
    tree = rendered(tmp_path, INVENTORY)

    assert not [path for path in tree.files if path.startswith(("monitoring/", "services/"))]
    assert "--metrics" not in tree.files["tiers/small.yml"]
    assert "METRICS" not in tree.files["router/haproxy.cfg"]


def test_its_services_have_no_right_that_they_do_not_need(tmp_path: Path) -> None:
    tree = rendered(tmp_path, INVENTORY + ON + 'textfile = "/var/lib/anvil-gen"\n')
    found = {path: next(iter(tree.data[path]["services"].values())) for path in tree.files if "services/" in path}

    assert [*found] == [
        f"services/{name}.yml" for name in ("gpu-metrics-nvidia", "grafana", "host-metrics", "prometheus")
    ]
    for service in found.values():
        assert ":" in service["image"]
        assert not service["image"].endswith(":latest")
        assert service["user"].partition(":")[0] not in ("", "0", "root")
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
        mounts = [mount for mount in service.get("volumes", []) if mount["type"] == "bind"]
        assert all(mount["read_only"] and mount["bind"] == {"create_host_path": False} for mount in mounts)
    volumes = {name: volume for path in found for name, volume in tree.data[path].get("volumes", {}).items()}
    assert volumes == {"prometheus-data": {}, "grafana-data": {}}
    assert "GRAFANA_PASSWORD" in tree.files[".env.example"]
    assert {"services/prometheus.yml", "services/grafana.yml"} <= {*tree.data["docker-compose.yml"]["include"]}


def test_a_service_carries_the_digest_of_each_file_that_it_mounts(tmp_path: Path) -> None:
    before = rendered(tmp_path)
    after = rendered(tmp_path, (INVENTORY + ON).replace("max_sequences = 32", "max_sequences = 33"))
    labels = [tree.data["services/prometheus.yml"]["services"]["prometheus"]["labels"] for tree in (before, after)]

    assert [*labels[0]] == ["anvil-gen.file.monitoring/prometheus.yaml", "anvil-gen.file.monitoring/rules.yaml"]
    assert labels[0]["anvil-gen.file.monitoring/rules.yaml"] != labels[1]["anvil-gen.file.monitoring/rules.yaml"]
    grafana = before.data["services/grafana.yml"]["services"]["grafana"]["labels"]
    inside = [path for path in before.files if path.startswith(("monitoring/grafana/", "monitoring/dashboards/"))]
    assert [*grafana] == [f"anvil-gen.file.{path}" for path in inside]


def test_each_tier_that_has_metrics_is_a_target_with_labels(tmp_path: Path) -> None:
    tree = rendered(tmp_path)
    found = jobs(tree)

    assert targets(found["tiers"]) == ["chat:30000", "small:30001"]
    assert found["tiers"]["static_configs"][0]["labels"] == {
        "__metrics_path__": "/metrics",
        "host": "box",
        "tier": "chat",
        "engine": "vllm",
        "model": "chat",
    }
    assert targets(found["router"]) == ["router:8404", "router:8404"]
    assert "bind *:8404" in tree.files["router/haproxy.cfg"]
    assert "- --metrics\n" in tree.files["tiers/small.yml"]
    assert tree.data["monitoring/prometheus.yaml"]["global"]["scrape_timeout"] == "10s"


def test_no_two_targets_write_the_same_series(tmp_path: Path) -> None:
    """What tells whether a target answers has its labels alone, and not its path."""
    for job in jobs(rendered(tmp_path)).values():
        named = [
            {"instance": address} | {name: value for name, value in one["labels"].items() if name[:2] != "__"}
            for one in job["static_configs"]
            for address in one["targets"]
        ]
        assert all(named.count(one) == 1 for one in named), job["job_name"]


def test_gpus_have_the_names_of_the_inventory(tmp_path: Path) -> None:
    relabels = jobs(rendered(tmp_path))["gpus nvidia"]["metric_relabel_configs"]

    assert [(one["source_labels"], one["regex"], one["target_label"], one["replacement"]) for one in relabels] == [
        (["uuid"], "(?i)(?:GPU-)?d0f446cf-1771-414c-e116-a39138798a8c", "gpu", "left"),
        (["uuid"], "(?i)(?:GPU-)?04d3b6e7-5691-3e86-1d34-c37999440cf1", "gpu", "right"),
    ]


ALL_VENDORS = INVENTORY.replace(
    "[tiers.chat]",
    """[gpus.radeon]
vendor = "amd"
uuid = "GPU-0123456789ABCDEF"
[gpus.arc]
vendor = "intel"
uuid = "0"
[tiers.chat]""",
)


def test_each_vendor_has_an_exporter_with_the_rights_that_it_needs(tmp_path: Path) -> None:
    tree = rendered(tmp_path, ALL_VENDORS + ON)
    found = {
        name: tree.data[f"services/gpu-metrics-{name}.yml"]["services"][f"gpu-metrics-{name}"]
        for name in ("nvidia", "amd", "intel")
    }

    assert [service["user"] for service in found.values()] == ["65534:65534", "65534:65534", "0:0"]
    assert all(service["cap_drop"] == ["ALL"] and service["read_only"] for service in found.values())
    assert "privileged" not in json.dumps(found)
    assert [name for name in found if "cap_add" in found[name]] == ["intel"]
    assert found["nvidia"]["deploy"]["resources"]["reservations"]["devices"][0]["count"] == "all"
    assert "devices" not in found["amd"]  # it reads what the kernel tells everybody
    assert found["intel"]["devices"] == ["/dev/dri:/dev/dri"]
    assert [targets(jobs(tree)[f"gpus {name}"]) for name in found] == [
        ["gpu-metrics-nvidia:9835"],
        ["gpu-metrics-amd:9100"],
        ["gpu-metrics-intel:29999"],
    ]


def test_gpus_of_all_vendors_are_recorded_under_one_name(tmp_path: Path) -> None:
    tree = rendered(tmp_path, ALL_VENDORS + ON)
    named = {name: jobs(tree)[f"gpus {name}"]["metric_relabel_configs"] for name in ("amd", "intel")}

    assert [(one["source_labels"], one["regex"], one["replacement"]) for one in named["amd"]] == [
        (["unique_id"], "(?i)0123456789ABCDEF", "radeon"),
        (["chip_name"], "amdgpu", "radeon"),
    ]
    assert [(one["source_labels"], one["regex"], one["replacement"]) for one in named["intel"]] == [
        (["pci_bdf"], ".+", "arc")
    ]
    used = records(tree)["anvil:gpu_memory_used_bytes"].split(" or ")
    assert [term.partition("max by (host, gpu) (")[2].split("_")[0] for term in used] == ["nvidia", "node", "xpum"]
    assert {gpu for name, gpu in alerts(tree) if name == "GpuLost"} == {"left", "right", "radeon", "arc"}


@pytest.mark.parametrize(
    "gpus",
    [
        '[gpus.one]\nvendor = "intel"\nuuid = "0"\n[gpus.two]\nvendor = "intel"\nuuid = "1"\n',
        '[gpus.one]\nvendor = "amd"\nuuid = "0"\n[gpus.two]\nvendor = "amd"\nuuid = "1"\n',
        '[gpus.slice]\nuuid = "MIG-d0f446cf-1771-414c-e116-a39138798a8d"\n',
        "[gpus.first]\nindex = 0\n",
    ],
)
def test_a_gpu_that_no_sample_names_is_never_lost(tmp_path: Path, gpus: str) -> None:
    """An alert for it would always fire."""
    text = INVENTORY[: INVENTORY.index("[gpus.left]")] + gpus + INVENTORY[INVENTORY.index("[tiers.vectors]") :]
    tree = rendered(tmp_path, text + ON)

    assert not [name for name, _ in alerts(tree) if name == "GpuLost"]
    assert not [job for job in jobs(tree).values() if "gpus" in job["job_name"] and "metric_relabel_configs" in job]


def test_one_name_stands_for_what_engines_call_otherwise(tmp_path: Path) -> None:
    found = records(rendered(tmp_path))

    assert found["anvil:requests_waiting"] == (
        "sum by (host, tier) (vllm:num_requests_waiting) or sum by (host, tier) (llamacpp:requests_deferred)"
    )
    assert found["anvil:kv_usage_ratio"] == "max by (host, tier) (vllm:kv_cache_usage_perc)"
    assert "sglang" not in json.dumps(found)


def test_every_engine_names_its_metrics_and_where_they_are_documented() -> None:
    catalog = Catalog()
    engines = {name: engine for name in catalog.names("engines") if (engine := catalog.engine(name)) is not None}
    without = [name for name, engine in engines.items() if engine.metrics is None]

    assert without == ["custom", "mistralrs", "ollama", "speaches", "tabbyapi"]
    page = (REPOSITORY / "docs" / "monitoring.md").read_text("utf-8")
    assert [title for name in without if (title := engines[name].title) not in page and name != "custom"] == []
    assert all(one.metrics.sources and one.metrics.names for one in engines.values() if one.metrics is not None)


def test_thresholds_come_from_facts(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "box.toml").write_text(CHAT_LOCK)
    found = alerts(rendered(tmp_path, INVENTORY + ON + 'textfile = "/var/lib/anvil-gen"\n'))

    assert found["TierDown", "chat"]["for"] == f"{20 * 60 + 300}s"
    assert found["TierDown", "small"]["for"] == f"{10 * 60 + 300}s"
    assert found["TierQueue", "chat"]["expr"].endswith(" > 32")
    assert found["TierQueue", "small"]["expr"].endswith(" > 2")
    assert found["GpuMemoryAboveFit", "left"]["expr"].endswith(f" > {round(0.5 * 24576 + 1024) << 20}")
    assert ("GpuMemoryAboveFit", "right") not in found  # nothing says what its tier takes
    assert found["TierKvCacheFull", ""]["expr"] == 'anvil:kv_usage_ratio{host="box"} > 0.95'  # one for all tiers
    assert ("TierDown", "vectors") in found  # the router tells of one that has no metrics
    free = found["DiskBelowNextWeights", ""]["expr"]
    assert float(free.rpartition(" < ")[2]) == pytest.approx(8e9, rel=0.1)
    assert {("GpuLost", "left"), ("GpuLost", "right"), ("RouterDown", ""), ("RouterWithoutTier", "")} <= {*found}


def test_a_gpu_that_tells_no_memory_of_its_own_is_not_lost(tmp_path: Path) -> None:
    """One that shares the host's memory tells how busy it is alone."""
    gpu = '{host="box", gpu="left"}'

    assert alerts(rendered(tmp_path))["GpuLost", "left"]["expr"] == (
        f"absent(anvil:gpu_utilization_ratio{gpu} or anvil:gpu_memory_used_bytes{gpu})"
    )


def test_every_alert_says_what_to_run(tmp_path: Path) -> None:
    found = alerts(rendered(tmp_path, INVENTORY + ON + 'textfile = "/var/lib/anvil-gen"\n'))

    assert all("anvil-gen " in rule["annotations"]["runbook"] for rule in found.values())
    assert all(rule["labels"]["host"] == "box" for rule in found.values())
    assert all(rule["annotations"]["summary"] for rule in found.values())


def test_a_tier_of_another_mode_is_down_by_the_router_alone(tmp_path: Path) -> None:
    later = '[modes.late]\ntiers = ["night"]\n[tiers.night]\nengine = "vllm"\ngpus = ["left"]\nport = 30009\n'
    later += 'model = { repo = "org/night" }\nstandby = true\n'
    found = alerts(rendered(tmp_path, INVENTORY + later + ON))

    assert 'anvil:router_tier_up{host="box", tier="night"} == 0 unless' in found["TierDown", "night"]["expr"]
    without = alerts(rendered(tmp_path, INVENTORY.replace("[router]\n", "") + later + ON))
    assert ("TierDown", "night") not in without
    assert 'anvil:target_up{host="box", tier="chat", job="tiers"} == 0' in without["TierDown", "chat"]["expr"]


def test_dashboards_are_whole(tmp_path: Path) -> None:
    tree = rendered(tmp_path)
    known = {*records(tree), "ALERTS", "up"}

    for name in ("fleet", "host", "tier"):
        data, places = tree.data[f"monitoring/dashboards/{name}.json"], set[tuple[int, int]]()
        ids = [panel["id"] for panel in panels(tree, name)]
        assert len(ids) == len({*ids})
        assert data["uid"].startswith("anvil-")
        for panel in panels(tree, name):
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & places, f"{name}: {panel['title']} is on another panel"
            assert at["x"] + at["w"] <= 24
            places |= cells
            assert panel["type"] == "row" or panel["targets"], f"{name}: {panel['title']} shows nothing"
            for target in panel.get("targets", []):
                assert any(record in target["expr"] for record in known), target["expr"]
                assert target["legendFormat"]


def test_a_tier_has_one_row_with_what_its_engine_tells(tmp_path: Path) -> None:
    """Grafana repeats the row of an engine, up to the next row, for each value of its variable."""
    tree = rendered(tmp_path)
    found: dict[str, list[str]] = {}
    for panel in panels(tree, "host"):
        if panel["type"] == "row":
            found[panel["title"]] = []
        else:
            found[[*found][-1]].append(panel["title"])

    assert found["$tier_vllm (vLLM)"] == ["Requests", "KV cache used", "Tokens a second", "Time, 95 of 100", "Errors"]
    assert found["$tier_llamacpp (llama.cpp)"] == ["Requests", "Tokens a second"]
    assert len(found) == 3  # nobody tells anything of the third engine
    rows = [panel for panel in panels(tree, "host") if panel.get("repeat")]
    variables = {one["name"]: one for one in tree.data["monitoring/dashboards/host.json"]["templating"]["list"]}
    assert [row["repeat"] for row in rows] == [*variables]
    assert variables["tier_vllm"]["query"] == 'label_values(up{host="box", engine="vllm"}, tier)'
    assert all(one["current"]["value"] == ["$__all"] and one["multi"] for one in variables.values())


def test_a_panel_of_a_repeated_row_takes_its_tier_as_a_regular_expression(tmp_path: Path) -> None:
    """Grafana escapes the values of such a variable for one, so that a name with a dot would not be found."""
    own = [panel for panel in panels(rendered(tmp_path), "host") if panel["title"] == "KV cache used"]

    assert [target["expr"] for panel in own for target in panel["targets"]] == [
        'anvil:kv_usage_ratio{host="box", tier=~"$tier_vllm"}'
    ]


def test_one_more_tier_is_added_lines_alone(tmp_path: Path) -> None:
    more = '[tiers.more]\nengine = "vllm"\nport = 30008\ngpus = ["left"]\nmodel = { repo = "org/more" }\n'
    more += "max_sequences = 8\ngpu_memory_utilization = 0.4\n"
    before, after = (rendered(tmp_path, INVENTORY.replace("[router]", f"{one}[router]") + ON) for one in ("", more))
    counted = {}
    for path in before.files:
        if path.startswith("monitoring/"):
            lines = difflib.ndiff(before.files[path].split("\n"), after.files[path].split("\n"))
            marks = [line[0] for line in lines]
            counted[path] = (marks.count("+"), marks.count("-"))

    changed = {path: count for path, count in counted.items() if count != (0, 0)}
    assert [*changed] == ["monitoring/prometheus.yaml", "monitoring/rules.yaml"]  # its row comes by its metrics
    assert changed["monitoring/prometheus.yaml"] == (8, 0)
    assert changed["monitoring/rules.yaml"][1] == 1  # what its GPU's tiers take together
    assert changed["monitoring/rules.yaml"][0] <= 26


def test_files_alone_for_a_prometheus_that_is_there(tmp_path: Path) -> None:
    text = INVENTORY.replace("port = 30001\n", 'port = 30001\nbind = "0.0.0.0"\n')
    tree = rendered(
        tmp_path, text.replace("[paths]", '[host]\naddress = "192.168.1.7"\n[paths]') + ON + "existing = true\n"
    )

    assert not [path for path in tree.files if path.startswith("services/")]
    assert sorted(path for path in tree.files if path.startswith("monitoring/")) == [
        *(f"monitoring/dashboards/{name}.json" for name in ("fleet", "host", "tier")),
        "monitoring/prometheus.yaml",
        "monitoring/rules.yaml",
    ]
    assert targets(jobs(tree)["tiers"]) == ["127.0.0.1:30000", "192.168.1.7:30001"]
    assert targets(jobs(tree)["router"]) == ["127.0.0.1:8404", "127.0.0.1:8404"]


OTHER = INVENTORY.replace("[paths]", '[host]\naddress = "192.168.1.20"\n[paths]') + ON + 'bind = "0.0.0.0"\n'


def test_a_fleet_has_one_prometheus_that_asks_the_others(tmp_path: Path) -> None:
    job = jobs(rendered(tmp_path, INVENTORY + ON + 'hosts = ["other"]\n', other=OTHER))["host other"]

    assert (job["metrics_path"], job["honor_labels"], targets(job)) == ("/federate", True, ["192.168.1.20:9090"])
    assert job["params"] == {"match[]": ['{__name__=~"anvil:.+|anvil_gen_.+|up", host="other"}']}


@pytest.mark.parametrize(
    ("other", "detail"),
    [
        (INVENTORY, "has no Prometheus of its own"),
        (OTHER.replace('bind = "0.0.0.0"', ""), 'is bound to "127.0.0.1"'),
        (OTHER.replace('address = "192.168.1.20"', ""), "does not say how others reach it"),
        (OTHER + "existing = true\n", "has no Prometheus of its own"),
        ("schema = 1\nwrong = 1\n", "its inventory has errors"),
    ],
)
def test_a_host_that_cannot_be_asked_is_an_error(tmp_path: Path, other: str, detail: str) -> None:
    fleet(tmp_path, other=other)
    (fault,) = faults_of(INVENTORY + ON + 'hosts = ["other"]\n', tmp_path / "hosts")

    assert (fault.code, fault.address) == ("host-cannot-be-used", "monitoring.hosts[0]")
    assert detail in fault.detail


@pytest.mark.parametrize("bind", ["[::1]", "localhost", "*", "256.1.1.1", "fe80::1%eth0"])
def test_it_is_published_at_an_address_as_compose_takes_it(tmp_path: Path, bind: str) -> None:
    (fault,) = faults_of(INVENTORY + ON + f'bind = "{bind}"\n', tmp_path)

    assert (fault.code, fault.address) == ("not-an-ip-address", "monitoring.bind")


def test_a_folder_of_text_files_is_mounted_as_it_is_called(tmp_path: Path) -> None:
    tree = rendered(tmp_path, INVENTORY + ON + 'textfile = "/srv/ä b/$x"\n')

    (mount,) = tree.data["services/host-metrics.yml"]["services"]["host-metrics"]["volumes"]
    assert mount["source"] == "/srv/ä b/$$x"  # which Compose reads as one


@pytest.mark.parametrize("retention", ["0d", "99999999999d", "30 d", "d", "1m", "300y"])
def test_what_prometheus_would_not_start_with_is_no_retention(tmp_path: Path, retention: str) -> None:
    (fault,) = faults_of(INVENTORY + ON + f'retention = "{retention}"\n', tmp_path)

    assert (fault.code, fault.address) == ("invalid-form", "monitoring.retention")


def test_names_and_ports_are_taken_once(tmp_path: Path) -> None:
    taken = '\n[services.prometheus]\nimage = "x:1"\n[services.ui]\nimage = "x:1"\nports = ["127.0.0.1:3000:80"]\n'
    found = {fault.code for fault in faults_of(INVENTORY + taken + ON, tmp_path)}

    assert found == {"service-taken-twice", "port-taken-twice"}


def test_prometheus_is_on_the_networks_of_what_it_scrapes(tmp_path: Path) -> None:
    local = 'schema = 1\n[host]\negress = "deny"\n[paths]\nmodels = "/srv/models"\n[tiers.small]\nengine = "llamacpp"\n'
    sealed = rendered(tmp_path, local + 'model = { file = "small.gguf" }\n[router]\n' + ON)
    service = sealed.data["services/prometheus.yml"]["services"]["prometheus"]

    assert service["networks"] == ["default", "internal"]
    assert sealed.data["services/prometheus.yml"]["networks"]["internal"]["internal"] is True
    assert "networks" not in rendered(tmp_path).data["services/prometheus.yml"]["services"]["prometheus"]
