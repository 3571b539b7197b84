"""Whether docker compose accepts compose.yaml, and whether it satisfies our own rules."""

import copy
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

SECRETS = ("CAST_TICKET_SECRET", "POSTGRES_PASSWORD")


def problems(docker_compose: Path, root: Path) -> list[str]:
    compose = root / "compose.yaml"
    project, error = _config(docker_compose, compose, {name: "x" for name in SECRETS})
    if error:
        return [f"compose.yaml: {error}"]
    found = [f"compose.yaml: {problem}" for problem in _rules(project)]
    found += _self_test(docker_compose, compose, project)
    for document in ("README.md", "docs/DEPLOYMENT.md"):
        found += [f"{document}: {problem}" for problem in _documented_secrets(docker_compose, root, document)]
    print(f"compose.yaml: {len(project['services'])} services")
    return found


def _config(docker_compose: Path, compose: Path, secrets: dict[str, str]):
    """The project with all defaults and variables resolved, or the error."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **secrets}
    command = [docker_compose, "--file", compose, "--env-file", "/dev/null", "config", "--format", "json"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        return None, result.stderr.strip()
    return json.loads(result.stdout), None


def _documented_secrets(docker_compose: Path, root: Path, document: str):
    """The documented commands that make .env make the secrets of compose.yaml, and do so only once."""
    commands = re.search(r"^\[ -e \.env \].*?>\.env\)$", (root / document).read_text(), re.M | re.S)
    if not commands:
        yield "has no command that makes .env"
        return
    with tempfile.TemporaryDirectory() as folder:
        env = Path(folder) / ".env"
        texts = []
        for _ in range(2):
            subprocess.run(["bash", "-euc", commands[0]], cwd=folder, check=True)
            texts.append(env.read_text())
        if texts[0] != texts[1] or env.stat().st_mode & 0o077:
            yield "the command overwrites .env, or makes it readable for other users"
        secrets = dict(line.split("=", 1) for line in texts[0].splitlines())
    project, error = _config(docker_compose, root / "compose.yaml", secrets)
    if error:
        yield error
    elif not re.fullmatch(r"1:[0-9a-f]{64}", project["services"]["api-1"]["environment"]["CAST_TICKET_SECRET"]):
        yield "the command makes a malformed key ring"


def _rules(project: dict):
    built = [service["image"] for service in project["services"].values() if "build" in service]
    if len(built) != len(set(built)):
        yield "two services build the same image, and fail if they do so at once"
    for name, service in project["services"].items():
        if not re.search(r":[^/]*\d", service["image"]) or service["image"].endswith(":latest"):
            yield f"{name} has the image {service['image']}, whose tag is no version"
        is_once = service.get("restart") == "on-failure"
        if not is_once and service.get("restart") != "unless-stopped":
            yield f"{name} is not restarted after a failure"
        is_ours = service["image"] in built
        if service.get("healthcheck", {}).get("disable", False) != is_once:
            yield f"{name} has no healthcheck, or ends and has one"
        if not is_ours and "healthcheck" not in service:
            yield f"{name} has no healthcheck"
        for port in service.get("ports", []):
            if port.get("host_ip") != "127.0.0.1":
                yield f"{name} can be reached from outside of this machine"
        if is_ours and (service.get("cap_drop") != ["ALL"] or not service.get("read_only")):
            yield f"{name} has capabilities or a writable root file system"
        if is_ours and service.get("stop_grace_period") != "20s":
            yield f"{name} may be killed during graceful shutdown"
        for other in service.get("depends_on", {}):
            if other not in project["services"]:
                yield f"{name} depends on a service that does not exist"


def _self_test(docker_compose: Path, compose: Path, project: dict):
    _, error = _config(docker_compose, compose, {})
    if not error or not all(name in error for name in SECRETS):
        yield "self-test: compose.yaml is accepted without secrets"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as broken:
        broken.write(compose.read_text().replace("healthcheck:", "healthchek:"))
        broken.flush()
        _, error = _config(docker_compose, Path(broken.name), {name: "x" for name in SECRETS})
        if not error:
            yield "self-test: a compose.yaml with a misspelt key is accepted"
    breaks = [
        ("api-1", "image", "cast:latest"),
        ("api-1", "restart", "no"),
        ("api-1", "ports", [{"target": 8000, "published": "8000"}]),
        ("api-1", "cap_drop", []),
        ("api-1", "stop_grace_period", "10s"),
        ("api-1", "build", {"context": "."}),
        ("redis", "healthcheck", {"disable": True}),
    ]
    for service, key, value in breaks:
        broken = copy.deepcopy(project)
        broken["services"][service][key] = value
        if not list(_rules(broken)):
            yield f"self-test: {service} with {key}={value} breaks no rule"
