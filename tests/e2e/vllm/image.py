"""The image of a real vLLM, built in the tests' own daemon from Debian, pip's wheels and nothing else; and its models.

No folder of it is kept beside the image: it has two and a half gigabytes. A label says what it was made from.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e.engine import Engine
from e2e.materials import (
    CACHE,
    REPOSITORY,
    MaterialError,
    digest_of,
    images_data,
    kept,
    output,
    root_filesystem,
    step,
)

HERE = Path(__file__).parent
LABEL = "anvil-gen-test.made-of"
PROGRAM = """\
#!/usr/bin/python3
import sys

from vllm.entrypoints.cli.main import main

# Its processes are spawned, and import this file again.
if __name__ == "__main__":
    sys.exit(main())
"""
MODELS_SCRIPT = HERE / "make_models.py"
# Four times what a quiet machine of two cores takes.
BUILD_SECONDS = 1800


def vllm_image(engine: Engine) -> str:
    """Return the name of the image, after making it where it is not there, or was made from something else."""
    data = images_data()["vllm"]
    name = str(data["image"])
    digest = digest_of(data, (REPOSITORY / data["requirements"]).read_text("utf-8"), PROGRAM)
    form = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    if engine.docker("image", "inspect", f"--format={form}", name, check=False) != digest:
        with step("making the image of the real vLLM"), engine.outside():
            _make_image(engine, data, digest)
    return name


def vllm_models(engine: Engine, image: str) -> Path:
    """Return the folder of the models that vLLM reads: the GGUF file's model in its own format, and an adapter."""
    data = (images_data()["model"], images_data()["vllm"], MODELS_SCRIPT.read_text("utf-8"))
    return kept("vllm_models", data, lambda _, target: _make_models(engine, image, target))


def _make_image(engine: Engine, data: dict[str, Any], digest: str) -> None:
    tree = CACHE / "vllm-unfinished"
    shutil.rmtree(tree, ignore_errors=True)
    root_filesystem(data["debian"], tree, "directory")
    try:
        _install(data, tree)
        changes = [f"ENV {name}={value}" for name, value in data["environment"].items()]
        changes += ['ENTRYPOINT ["vllm"]', f"LABEL {LABEL}={digest}"]
        _import(engine, tree, [f"--change={change}" for change in changes], data["image"])
    finally:
        shutil.rmtree(tree)


def _install(data: dict[str, Any], tree: Path) -> None:
    """Put vLLM into a Debian: its wheels, compiled, the metadata that it asks for, and its program."""
    inside = Path("usr/local/lib", f"python{data['python']}", "dist-packages")
    packages = tree / inside
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    command += [f"--python-version={data['python']}", f"--target={packages}"]
    output([*command, f"--requirement={REPOSITORY / data['requirements']}"], seconds=BUILD_SECONDS)
    about = packages / f"vllm-{data['version']}.dist-info" / "METADATA"
    about.parent.mkdir()
    about.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {data['version']}\n", "utf-8")
    program = tree / "usr/local/bin/vllm"
    program.write_text(PROGRAM, "utf-8")
    program.chmod(0o755)
    compiling = ["python3", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", f"/{inside}"]
    # Some packages bring files that are no Python of any version.
    output(["chroot", str(tree), "sh", "-c", f"{' '.join(compiling)} >/dev/null || true"], seconds=BUILD_SECONDS)


def _import(engine: Engine, tree: Path, changes: list[str], name: str) -> None:
    with subprocess.Popen(["tar", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE) as tar:
        done = subprocess.run(
            ["docker", "import", *changes, "-", name],
            env=dict(engine.environment),
            stdin=tar.stdout,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    if done.returncode != 0 or tar.returncode != 0:
        raise MaterialError(f"docker import ends with {done.returncode}: {done.stderr}")


def _make_models(engine: Engine, image: str, target: Path) -> None:
    """Let the image's own libraries make the models, since no other Python here has them."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    mounts = [f"{engine.model_folder}:/gguf:ro", f"{target}:/made", f"{MODELS_SCRIPT}:/make_models.py:ro"]
    options = [word for mount in mounts for word in ("--volume", mount)]
    engine.docker("run", "--rm", "--network=none", *options, "--entrypoint=python3", image, "/make_models.py")
