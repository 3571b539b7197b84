"""Folders import only downwards.

A layer is a folder or a file directly in `src`. `BELOW` has, for each crate, what each layer may import;
a layer that is not listed is a problem, so that the list stays whole. `lib` and `main` may import
everything, and nothing may import what they define.
"""

from pathlib import Path

from rust import Crate, Tree

_HELPERS = ["backoff", "deadline", "fault", "outage", "settings", "tasks"]
_ROOM = ["domain", "ports", *_HELPERS]
BELOW = {
    "cast_core": {
        "cast": ["ingest", "projection", "tickets", "tallies", "audit", *_ROOM],
        "ingest": ["tallies", *_ROOM],
        "projection": _ROOM,
        "tickets": _ROOM,
        "tallies": _ROOM,
        "audit": _ROOM,
        "settings": ["domain", "ports"],
        "fault": ["domain", "ports"],
        "deadline": ["domain", "ports"],
        "outage": ["domain", "ports"],
        "backoff": [],
        "tasks": [],
        # It shares no code with what it checks.
        "ledger": [],
        "ports": ["domain"],
        "domain": [],
    },
    "cast_adapters": {
        "redis": ["system"],
        "kafka": ["record", "system"],
        "postgres": ["system"],
        "memory": ["system"],
        "record": [],
        "system": [],
    },
    "cast_server": {
        "commands": ["app", "process", "wiring", "config", "transport", "endpoint", "schema", "telemetry", "protocol", "client"],
        "app": ["process", "config", "transport", "endpoint", "schema", "telemetry", "protocol"],
        "wiring": ["config", "failpoints", "protocol"],
        "failpoints": ["config"],
        "endpoint": ["schema", "telemetry", "protocol", "coalesced"],
        "transport": ["telemetry", "protocol"],
        "schema": ["telemetry", "protocol", "coalesced"],
        "telemetry": ["protocol"],
        "client": ["protocol"],
        "config": ["protocol"],
        "coalesced": [],
        "process": [],
        "protocol": [],
    },
}
# Each child of these folders is a subject of its own: none imports another.
APART = {"cast_server": ["commands"]}


def problems(tree: Tree) -> list[str]:
    found = []
    for crate in tree.crates:
        if crate.name in BELOW and Path(crate.top.file).name == "lib.rs":
            found += of_crate(crate, BELOW[crate.name], APART.get(crate.name, []))
    return found


def of_crate(crate: Crate, below: dict[str, list[str]], apart: list[str]):
    source = Path(crate.top.file).parent
    for layer in sorted({_layer(source, module.file) for module in crate.modules} - below.keys() - {"lib"}):
        yield (
            f"{source}/{layer}:1: `{layer}` is no layer of {crate.name}. "
            "Move it into one, or say in .ci/shape/layers.py what it may import."
        )
    for it in crate.imports():
        at, to = _layer(source, it.file), _layer(source, it.target)
        if at == to:
            inner, other = _child(source, it.file), _child(source, it.target)
            if at in apart and inner != other and "mod" not in (inner, other):
                yield f"{it.file}:{it.line}: `{it.name}` of {it.target}: no part of `{at}` imports another. Move it below both."
        elif at != "lib" and at in below and to not in below[at]:
            may = ", ".join(below[at]) or "no other layer"
            yield (
                f"{it.file}:{it.line}: `{it.name}` of {it.target}: `{at}` may import {may}. "
                "Move the name down, or pass it in as an argument."
            )


def _layer(source: Path, file: str) -> str:
    return Path(file).relative_to(source).parts[0].removesuffix(".rs")


def _child(source: Path, file: str) -> str:
    inside = Path(file).relative_to(source).parts[1:]
    return inside[0].removesuffix(".rs") if inside else "mod"
