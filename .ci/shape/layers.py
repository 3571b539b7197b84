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
        "audit": ["log_reader", *_ROOM],
        "transfer": ["log_reader", "projection", *_ROOM],
        "log_reader": _ROOM,
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
        "postgres": ["statement", "system"],
        "sqlite": ["groups", "memory", "record", "statement", "system"],
        "statement": [],
        "groups": [],
        "memory": ["groups", "system"],
        "record": [],
        "system": [],
    },
    "cast_server": {
        "commands": ["app", "process", "wiring", "endpoint", "transport", "schema", "telemetry", "client", "config", "protocol"],
        "app": ["process", "endpoint", "transport", "schema", "telemetry", "config", "protocol"],
        "wiring": ["failpoints", "config", "protocol"],
        "endpoint": ["schema", "telemetry", "coalesced", "protocol"],
        "transport": ["protocol"],
        "schema": ["telemetry", "coalesced", "protocol"],
        "telemetry": ["client", "protocol"],
        "failpoints": ["config"],
        "client": ["protocol"],
        "config": ["protocol"],
        "coalesced": [],
        "process": [],
        "protocol": [],
    },
}
# Each child of these folders is a subject of its own, and none imports another; but for the one that
# dispatches to them all.
APART = {"cast_server": {"commands": "mod"}}


def problems(tree: Tree) -> list[str]:
    found = []
    for crate in tree.crates:
        if crate.name in BELOW and Path(crate.top.file).name == "lib.rs":
            found += of_crate(crate, BELOW[crate.name], APART.get(crate.name, {}))
    return found


def of_crate(crate: Crate, below: dict[str, list[str]], apart: dict[str, str]):
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
            if at in apart and inner not in (other, "mod", apart[at]) and other != "mod":
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
