"""The Dockerfile by hadolint and its features, every shell script by shellcheck, and the deploy script's dry run."""

import os
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path


def problems(tools: Path, root: Path) -> list[str]:
    scripts = _scripts(root)
    print(f"{len(scripts)} scripts")
    found = _lint([tools / "hadolint", "Dockerfile"], root)
    found += _lint([tools / "shellcheck", *scripts], root)
    found += _image_features((root / "Dockerfile").read_text(), root)
    if not _image_features('ARG CAST_FEATURES="otlp,kafka-tsl"', root):
        found.append("self-test: unknown features of the image are accepted")
    if not _lint([tools / "hadolint", "-"], root, "FROM debian\nRUN apt-get install curl\n"):
        found.append("self-test: hadolint accepts a bad Dockerfile")
    if not _lint([tools / "shellcheck", "-"], root, "#!/bin/sh\nrm -rf $1/*\n"):
        found.append("self-test: shellcheck accepts a bad script")
    return found + _dry_run(root)


def _lint(command: list, root: Path, text: str | None = None) -> list[str]:
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, input=text)
    return [] if result.returncode == 0 else [result.stdout + result.stderr]


def _image_features(dockerfile: str, root: Path) -> list[str]:
    """The image's features exist, and those without which no managed Kafka can be used are among them."""
    with (root / "cast-server/Cargo.toml").open("rb") as manifest:
        known = tomllib.load(manifest)["features"]
    chosen = re.search(r'^ARG CAST_FEATURES="(.*)"$', dockerfile, re.M)
    names = chosen[1].split(",") if chosen else []
    found = [f"Dockerfile: cast-server has no feature {name}" for name in names if name not in known]
    return found + [f"Dockerfile: the image lacks {name}" for name in ("kafka-tls", "otlp") if name not in names]


def _scripts(root: Path) -> list[str]:
    """The shell scripts that git knows."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    files = [name for name in names.stdout.split("\0") if name and (root / name).is_file()]

    def is_script(name: str) -> bool:
        with (root / name).open("rb") as file:
            first = file.readline(80)
        return first.startswith(b"#!") and (b"bash" in first or first.rstrip().endswith(b"/sh"))

    return [name for name in files if is_script(name)]


def _dry_run(root: Path) -> list[str]:
    """The dry run prints every step in order, and calls none of the tools that it prints."""
    found = []
    for overlay in ("single-node", "production"):
        with tempfile.TemporaryDirectory() as folder:
            result, called = _dry_run_of(root, overlay, Path(folder))
        steps = [
            "docker build --tag cast:test",
            "secret generic cast-ticket-keys",
            "secret generic cast-urls",
            "delete job migrate",
            f"k8s/overlays/{overlay}",
            "get job migrate, until",
            "rollout status deployment/api",
            "a vote",
        ]
        at = -1
        for step in steps:
            at = result.stdout.find(step, at + 1)
            if at < 0:
                found.append(f"build-and-deploy.sh --dry-run {overlay} does not print, in order: {step}")
                break
        if called or result.returncode != 0:
            found.append(f"build-and-deploy.sh --dry-run {overlay}: {result.stderr} called {called}")
    return found


def _dry_run_of(root: Path, overlay: str, folder: Path):
    """The result, and which tools were called: stubs come first in PATH and record calls."""
    tools = ("docker", "kubectl", "openssl", "curl")
    for tool in tools:
        (folder / tool).write_text(f"#!/bin/sh\ntouch '{folder}/{tool}.called'\n")
        (folder / tool).chmod(0o755)
    command = ["./build-and-deploy.sh", "--dry-run", "--image", "cast:test", overlay]
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)
    return result, [tool for tool in tools if (folder / f"{tool}.called").exists()]
