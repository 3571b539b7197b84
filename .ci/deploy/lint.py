"""The Dockerfile by hadolint, every shell script by shellcheck, and what the install script would do."""

import os
import subprocess
import tempfile
from pathlib import Path


def problems(tools: Path, root: Path) -> list[str]:
    scripts = _scripts(root)
    print(f"{len(scripts)} scripts")
    found = _lint([tools / "hadolint", "Dockerfile"], root)
    found += _lint([tools / "shellcheck", *scripts], root)
    if not _lint([tools / "hadolint", "-"], root, "FROM debian\nRUN apt-get install curl\n"):
        found.append("self-test: hadolint finds nothing in a bad Dockerfile")
    if not _lint([tools / "shellcheck", "-"], root, "#!/bin/sh\nrm -rf $1/*\n"):
        found.append("self-test: shellcheck finds nothing in a bad script")
    return found + _dry_run(root)


def _lint(command: list, root: Path, text: str | None = None) -> list[str]:
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, input=text)
    return [] if result.returncode == 0 else [result.stdout + result.stderr]


def _scripts(root: Path) -> list[str]:
    """All that git knows and that a shell runs."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    files = [name for name in names.stdout.split("\0") if name and (root / name).is_file()]

    def is_script(name: str) -> bool:
        with (root / name).open("rb") as file:
            first = file.readline(80)
        return first.startswith(b"#!") and (b"bash" in first or first.rstrip().endswith(b"/sh"))

    return [name for name in files if is_script(name)]


def _dry_run(root: Path) -> list[str]:
    """It prints every step in its place, and calls none of the tools that it prints."""
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
                found.append(f"build-and-deploy.sh --dry-run {overlay} does not say in its place: {step}")
                break
        if called or result.returncode != 0:
            found.append(f"build-and-deploy.sh --dry-run {overlay}: {result.stderr} called {called}")
    return found


def _dry_run_of(root: Path, overlay: str, folder: Path):
    """How it ends, and which of the tools it called: they stand before all others, and only say so."""
    tools = ("docker", "kubectl", "openssl", "curl")
    for tool in tools:
        (folder / tool).write_text(f"#!/bin/sh\ntouch '{folder}/{tool}.called'\n")
        (folder / tool).chmod(0o755)
    command = ["./build-and-deploy.sh", "--dry-run", "--image", "cast:test", overlay]
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)
    return result, [tool for tool in tools if (folder / f"{tool}.called").exists()]
