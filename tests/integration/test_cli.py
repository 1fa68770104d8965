"""The command line as a process: exit codes, stdout and stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from running import EXPERIMENT, INVENTORY, SECOND_TIER, anvil_gen, fleet, listing, tree

WROTE = """box -> deploy/box
  wrote  docker-compose.yml
  wrote  tiers/fast.yml
  + fast  start
      new service  hosts/box.toml:6
      now shares the host's shared memory (ipc)
      now adds capabilities: SYS_NICE
      now mounts from the host: /srv/models/gpt-oss-20b (read-only)
"""
CHANGED = """box -> deploy/box
  wrote  tiers/fast.yml
  ~ fast  recreate (away until its new container is ready; start: up to 15m)
      context_length 65536 -> 32768 (--max-model-len)  hosts/box.toml:10
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fleet of one host."""
    return fleet(tmp_path, box=INVENTORY)


def edit(home: Path) -> None:
    fleet(home, box=INVENTORY.replace("65536", "32768"))


def test_render_tells_each_file_and_each_change(home: Path) -> None:
    assert anvil_gen("render", "box", cwd=home) == (0, WROTE, "")
    assert anvil_gen("render", "hosts/box.toml", cwd=home) == (0, "box -> deploy/box: 2 files, nothing changed\n", "")
    edit(home)
    assert anvil_gen("render", "../../hosts/box.toml", "box", cwd=home / "deploy" / "box") == (
        0,
        CHANGED.replace("deploy/box", ".").replace("hosts/", "../../hosts/"),
        "",
    )


def test_check_exits_2_with_a_diff_and_the_command(home: Path) -> None:
    anvil_gen("render", "box", cwd=home)
    before = tree(home / "deploy")
    edit(home)
    result = anvil_gen("render", "--all", "--check", cwd=home)

    assert (result.code, result.stderr) == (2, "")
    assert "-      - --max-model-len=65536\n+      - --max-model-len=32768\n" in result.stdout
    assert result.stdout.endswith(
        "box -> deploy/box\n  differs  tiers/fast.yml\n"
        "  ~ fast  recreate (away until its new container is ready; start: up to 15m)\n"
        "      context_length 65536 -> 32768 (--max-model-len)  hosts/box.toml:10\n"
        "  to fix it:\n\n    anvil-gen render hosts/box.toml\n\n"
    )
    assert tree(home / "deploy") == before


def test_check_names_the_output_in_its_command(home: Path) -> None:
    result = anvil_gen("render", "box", "--check", "--output", "some where", cwd=home)

    assert result.code == 2
    assert "    anvil-gen render hosts/box.toml --output 'some where'\n" in result.stdout
    assert listing(home) == ["hosts", "hosts/box.toml"]


def test_check_names_both_ways_out_of_a_hand_edit(home: Path) -> None:
    anvil_gen("render", "box", cwd=home)
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    path.write_text(path.read_text().replace("65536", "1"))
    result = anvil_gen("render", "box", "--check", cwd=home)

    assert result.code == 2
    assert result.stdout.endswith(
        "  manually edited: tiers/fast.yml\n"
        "  to keep the edits, write them into hosts/box.toml and render again:\n\n"
        "    anvil-gen render hosts/box.toml\n\n"
        "  to overwrite them:\n\n    anvil-gen render hosts/box.toml --force\n\n"
    )


def test_a_service_that_goes_away_is_told_with_what_stops_it(home: Path) -> None:
    fleet(home, box=INVENTORY + SECOND_TIER)
    anvil_gen("render", "box", cwd=home)
    fleet(home, box=INVENTORY)
    result = anvil_gen("render", "box", cwd=home)

    assert result.stdout.endswith(
        "  - heavy  stop (runs on, with its GPUs and ports, until"
        " `anvil-gen up` or `docker compose up -d --remove-orphans`)\n      removed\n"
    )


@pytest.mark.parametrize("services", ["{}", "[{image: a}]", "{fast: }", "{fast: {labels: {}, volumes: {}}}"])
def test_services_that_are_none_are_compared(home: Path, services: str) -> None:
    anvil_gen("render", "box", cwd=home)
    (home / "deploy" / "box" / "tiers" / "fast.yml").write_text(f"name: box\nservices: {services}\n")
    result = anvil_gen("render", "box", "--check", cwd=home)

    assert (result.code, result.stderr) == (2, "")


def test_a_models_folder_is_one_line(home: Path) -> None:
    anvil_gen("render", "box", cwd=home)
    fleet(home, box=INVENTORY.replace('"/srv/models"', '"/mnt/models"'))

    assert (
        "\n      mount /models/gpt-oss-20b: /srv/models/gpt-oss-20b (read-only) -> /mnt/models/gpt-oss-20b (read"
        in (anvil_gen("render", "box", cwd=home).stdout)
    )


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_secret_of_a_file_on_disk_is_not_told(home: Path, form: list[str]) -> None:
    anvil_gen("render", "box", cwd=home)
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    path.write_text(path.read_text().replace("environment:", "environment:\n      MY_TOKEN: hf-1234") + "x-a: 1\n")
    result = anvil_gen("render", "box", "--force", *form, cwd=home)

    assert result.code == 0
    assert "MY_TOKEN" in result.stdout or "environment:" not in path.read_text()
    assert "1234" not in result.stdout + result.stderr


def test_a_warning_is_told_and_nothing_stops(home: Path) -> None:
    fleet(home, box=INVENTORY + 'bind = "0.0.0.0"\n')
    result = anvil_gen("render", "box", cwd=home)

    listens = "      now listens beyond loopback: 0.0.0.0:30001\n"
    assert (result.code, result.stdout) == (0, WROTE.replace("      now shares", f"{listens}      now shares"))
    assert result.stderr.startswith("warning: tier without a key beyond loopback\n  --> hosts/box.toml:13:8")
    answer = anvil_gen("render", "box", "--json", cwd=home)
    assert (answer.code, answer.stderr) == (0, "")
    assert [(told["severity"], told["line"]) for told in json.loads(answer.stdout)["diagnostics"]] == [("warning", 13)]


def test_stdout_prints_the_files_and_writes_nothing(home: Path) -> None:
    result = anvil_gen("render", "box", "--stdout", cwd=home)

    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.startswith("==> docker-compose.yml <==\n# Made by anvil-gen from hosts/box.toml. ")
    assert "\n==> tiers/fast.yml <==\n" in result.stdout
    assert listing(home) == ["hosts", "hosts/box.toml"]


@pytest.mark.parametrize("output", ["out", "a/b/c", "./out/", "../beside"])
def test_output(home: Path, output: str) -> None:
    work = home / "work"
    work.mkdir()
    result = anvil_gen("render", "box", "--output", output, cwd=work)

    assert (result.code, result.stderr) == (0, "")
    assert sorted(tree(work / output)) == ["docker-compose.yml", "tiers/fast.yml"]


def test_json_of_a_change(home: Path) -> None:
    anvil_gen("render", "box", cwd=home)
    edit(home)
    result = anvil_gen("render", "box", "--json", cwd=home)

    assert (result.code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "format": 1,
        "hosts": [
            {
                "host": "box",
                "inventory": "hosts/box.toml",
                "output": (home / "deploy" / "box").as_posix(),
                "files": [{"path": "tiers/fast.yml", "action": "update"}],
                "changes": [
                    {
                        "action": "update",
                        "project": "box",
                        "service": "fast",
                        "address": ["services", "fast", "command", "--max-model-len"],
                        "before": "65536",
                        "after": "32768",
                        "reason": "",
                    }
                ],
                "recreates": ["fast"],
                "reloads": [],
                "routes": [],
            }
        ],
        "diagnostics": [],
    }


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        (["render", "nope"], "unknown host"),
        (["render", "nope.toml"], "cannot read the file"),
        (["render", "hosts/"], "cannot read the file"),
        (["render", "box", "--output", __file__], "something is in the way"),
        (["render", "box", "--output", f"{__file__}/x"], "something is in the way"),
        (["render", "box", "--output", "hosts/box.toml"], "not a folder for the tree"),
        (["render", "box", "--output", ""], "usage error"),  # as from a variable of a shell that is not set
        (["render", "hosts"], "cannot read the file"),
        (["render", "box", "--bogus"], "usage error"),
        (["render", "box", "--all"], "usage error"),
        (["render", "box", "--check", "--stdout"], "usage error"),
        (["render", "box", "--stdout"], "usage error"),  # it takes no --json
        (["render", "box", "hosts/box.toml", "x", "--output", "y"], "usage error"),
        (["bogus"], "usage error"),
    ],
)
def test_errors_exit_1_in_both_forms(home: Path, arguments: list[str], summary: str) -> None:
    plain, as_json = anvil_gen(*arguments, cwd=home), anvil_gen(*arguments, "--json", cwd=home)

    assert as_json.code == 1
    assert [diagnostic["summary"] for diagnostic in json.loads(as_json.stdout)["diagnostics"]] == [summary]
    if arguments != ["render", "box", "--stdout"]:
        assert (plain.code, plain.stdout) == (1, "")
        assert "Traceback" not in plain.stderr
    assert listing(home) == ["hosts", "hosts/box.toml"]


@pytest.mark.parametrize("output", ["gone", "gone/x"])
def test_an_output_that_is_a_link_to_nothing(home: Path, output: str) -> None:
    (home / "gone").symlink_to("nowhere")
    result = anvil_gen("render", "box", "--output", output, cwd=home)

    assert (result.code, result.stdout) == (1, "")
    assert "error: something is in the way\n  --> gone\n  it is a link to nothing\n" in result.stderr
    assert listing(home) == ["gone", "hosts", "hosts/box.toml"]


def test_unknown_hosts_are_told_together(home: Path) -> None:
    result = anvil_gen("render", "one", "box", "two", cwd=home)

    assert result.code == 1
    assert ['"one" is not an inventory' in result.stderr, '"two" is not an inventory' in result.stderr] == [True, True]


def test_a_hand_edit_is_refused_and_forced(home: Path) -> None:
    anvil_gen("render", "box", cwd=home)
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    path.write_text(path.read_text().replace("65536", "1"))

    refused = anvil_gen("render", "box", cwd=home)
    assert (refused.code, refused.stdout) == (1, "")
    assert "  -      - --max-model-len=1\n  +      - --max-model-len=65536\n" in refused.stderr
    assert refused.stderr.endswith(
        "  to keep it, write what it says into hosts/box.toml, [tiers.fast]"
        " (flags as `flags`, other keys as `override`)\n"
        "  and render again; to overwrite it:\n\n      anvil-gen render hosts/box.toml --force\n\n"
    )
    assert "--max-model-len=1\n" in path.read_text()
    assert anvil_gen("render", "box", "--force", cwd=home).code == 0
    assert "--max-model-len=65536\n" in path.read_text()


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"NO_COLOR": "1"},
        {"HOME": "/nowhere", "XDG_CACHE_HOME": "/dev/null/cache"},
        {"COLUMNS": "20", "TERM": "dumb"},
    ],
)
def test_any_environment(home: Path, env: dict[str, str]) -> None:
    anvil_gen("render", "box", cwd=home)
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    path.write_text(path.read_text("utf-8") + "# é \x1b[31m\n", "utf-8")
    results = [anvil_gen("render", "box", *more, cwd=home, env=env) for more in ([], ["--check"], ["--json"])]

    assert [result.code for result in results] == [1, 2, 1]
    assert all("\x1b" not in result.stdout + result.stderr for result in results)
    assert all("Traceback" not in result.stderr for result in results)


def test_a_reader_that_leaves_early(home: Path) -> None:
    fleet(home, **{f"box{number}": INVENTORY + SECOND_TIER + EXPERIMENT for number in range(20)})
    command = f"'{sys.executable}' -m anvil_gen render --all --stdout | head -n 1"
    done = subprocess.run(command, shell=True, cwd=home, capture_output=True, text=True, check=True, timeout=300)

    assert (done.stdout, done.stderr) == ("==> box/docker-compose.yml <==\n", "")


def test_a_full_device_is_an_error(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "anvil_gen", "render", "box", "--json"]
        done = subprocess.run(
            command, cwd=home, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=300
        )

    assert (done.returncode, done.stderr) == (
        1,
        "error: cannot write the output: No space left on device; the rendered files were written\n",
    )
    assert (home / "deploy" / "box" / "docker-compose.yml").is_file()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(home: Path, closed: str) -> None:
    command = f"exec '{sys.executable}' -m anvil_gen render box {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=home, capture_output=True, text=True, check=False, timeout=300)

    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "deploy" / "box" / "docker-compose.yml").is_file()


def test_interrupted(home: Path) -> None:
    anvil_gen("render", "box", cwd=home)
    edit(home)
    # A shell's background jobs ignore the signal, and their children with them: Python's own handler is put back.
    script = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "from anvil_gen.cli.main import main; main(['render', 'box'])"
    # While another process holds the tree, the render waits: from then on it is under way.
    with (home / "deploy" / "box" / ".anvil-gen" / ".gitignore").open("r+b") as lock:
        os.lockf(lock.fileno(), os.F_LOCK, 0)
        process: Any = subprocess.Popen([sys.executable, "-c", script], cwd=home, stderr=subprocess.PIPE, text=True)
        while not any(f" {process.pid} " in line for line in Path("/proc/locks").read_text().splitlines()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=120)[1]

    assert (process.returncode, stderr) == (130, "\ninterrupted\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("render b", ["plain,box"]), ("render ", ["plain,able", "plain,box"]), ("render hosts/", ["file,hosts/"])],
)
def test_completion_of_hosts(home: Path, words: str, expected: list[str]) -> None:
    fleet(home, able=INVENTORY)
    env = {"COMP_WORDS": f"anvil-gen {words}", "COMP_CWORD": "2", "_ANVIL_GEN_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'anvil-gen'; from anvil_gen.cli.main import main; main()"],
        cwd=home,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.stdout.split() == expected


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["--version"], "anvil-gen, version "),
        (["--help"], "Usage: "),
        (["render", "--help"], "Usage: "),
        (["schema", "-h"], "Usage: "),
    ],
)
def test_information(home: Path, arguments: list[str], first: str) -> None:
    result = anvil_gen(*arguments, cwd=home)

    assert (result.code, result.stdout[: len(first)], result.stderr) == (0, first, "")


@pytest.mark.parametrize("group", [[], ["experiment"]])
def test_a_list_of_verbs_has_whole_sentences(home: Path, group: list[str]) -> None:
    listed = anvil_gen(*group, "--help", cwd=home).stdout.partition("Commands:\n")[2].partition("\n\n")[0]

    assert listed
    assert [line for line in listed.splitlines() if not line.endswith(".") or line.endswith("...")] == []


def test_schema_is_written_and_checked(home: Path) -> None:
    assert anvil_gen("schema", "--write", "s.json", cwd=home) == (0, "wrote s.json\n", "")
    assert anvil_gen("schema", "--check", "s.json", cwd=home) == (0, "s.json is up to date\n", "")
    (home / "s.json").write_bytes(b"\xff")
    assert anvil_gen("schema", "--check", "s.json", cwd=home).code == 2
    assert anvil_gen("schema", "--write", "no/s.json", cwd=home) == (
        1,
        "",
        "error: cannot read or write\n  --> no/s.json\n  no such file or directory\n\n",
    )
