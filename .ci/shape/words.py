"""Words that were replaced by the field's own do not come back.

`PROSE` is searched in all text files: alone, in phrases and as parts of identifiers, so that `put back`
is also `put_back` and `PutBack`. `TYPES` and `ROOMS` are plain English elsewhere and searched in the code of
Rust files alone: whole identifiers, and names of modules.
"""

import re

from rust import Tree, blank

PERSON = "name the component, the person's role or the thing"
RECONCILE = "reconcile; for the noun, checkpoint; for the adjective, applied"
REFRESH = "refresh, Refresher; for a process, recover"
PROSE = {
    "told": "say what happens: is informed, answered, reported, configured",
    "untold": "unreported",
    "nobody": PERSON,
    "whoever": PERSON,
    "somebody": PERSON,
    "everybody": PERSON,
    "anybody": PERSON,
    "put back": "restored (from a backup)",
    "puts back": "restores (from a backup)",
    "door": "VoteService; for a process, API server",
    "doors": "API servers",
    "healer": REFRESH,
    "healers": REFRESH,
    "heal": REFRESH,
    "heals": REFRESH,
    "healed": REFRESH,
    "healing": REFRESH,
    "settle": RECONCILE,
    "settles": RECONCILE,
    "settled": RECONCILE,
    "settling": RECONCILE,
    "settler": RECONCILE,
    "settlement": RECONCILE,
    "settlements": RECONCILE,
    "landmark": "log fingerprint",
    "landmarks": "log fingerprints",
    "rehearse": "dry run",
    "rehearsed": "dry run",
    "rehearses": "dry run",
    "rehearsal": "dry run",
    "home of": "partition_of; for the partition, assigned partition",
    "reign": "replication epoch",
    "reigns": "replication epochs",
    "gremlin": "FaultInjector",
    "gremlins": "fault injectors",
    "mishap": "ProcessFault",
    "mishaps": "process faults",
    "setting out": "route_all",
    "handed on": "redirect_target; redirected",
    "no dice": "no unseeded randomness",
    "a no costs nothing": "rejections cost no I/O",
    "lag s sake": "only so that lag metrics are right",
    "what ends tls": "a TLS-terminating proxy",
}
TYPES = {
    "Unplaced": "AwaitingPosition",
    "Placing": "ResumeLookup",
    "Placed": "PositionedBallot",
    "Ahead": "PrefetchBuffer",
    "Holdings": "Assignments",
    "Held": "AssignedPartition",
    "Kept": "StoredBallot",
    "Tail": "PendingVotes",
    "Prefix": "AppliedTotal",
    "Trip": "PendingCommand",
    "HOPS": "MAX_REDIRECTS",
    "goes_on": "can_redirect",
    "Paper": "VoteInput",
    "Books": "RunStats",
    "Seat": "PortHandle",
    "while_": "with_operation",
    "doing": "with_operation",
    "Going": "ActiveSpan",
}
ROOMS = {
    "voting": "ingest",
    "folding": "projection",
    "issuing": "tickets",
    "showing": "tallies",
    "auditing": "audit",
}
# The list itself; texts and data that are not ours.
LEFT_OUT = (".ci/shape/words.py", "LICENSE", "Cargo.lock", "fuzz/Cargo.lock")
DATA = ("fuzz/corpus/",)

PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
ROOM = re.compile(rf"\b(?:mod\s+)({'|'.join(ROOMS)})\b|\b({'|'.join(ROOMS)})\s*::|::\s*({'|'.join(ROOMS)})\b")
BY_FIRST: dict[str, list[tuple[list[str], str]]] = {}
for _phrase in PROSE:
    BY_FIRST.setdefault(_phrase.split()[0], []).append((_phrase.split(), _phrase))


def problems(tree: Tree) -> list[str]:
    found = []
    for file in tree.files:
        if file in LEFT_OUT or file.startswith(DATA):
            continue
        found += [f"{file}:1: {it}" for it in _in_line(file)]
        try:
            text = (tree.root / file).read_text()
        except UnicodeDecodeError:
            continue
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            found += [f"{file}:{number}: {it}" for it in _in_line(line)]
        if file.endswith(".rs"):
            for number, line in enumerate(blank(text).split("\n"), 1):
                found += [f"{file}:{number}: {it}" for it in _in_code(line)]
    return found


def _in_line(line: str):
    pieces = [it.group().lower() for it in PIECE.finditer(line)]
    for at, piece in enumerate(pieces):
        for words, phrase in BY_FIRST.get(piece, []):
            if pieces[at : at + len(words)] == words:
                yield f"`{phrase}`: {PROSE[phrase]}"


def _in_code(line: str):
    for it in IDENTIFIER.finditer(line):
        if it.group() in TYPES:
            yield f"`{it.group()}`: {TYPES[it.group()]}"
    for it in ROOM.finditer(line):
        name = next(filter(None, it.groups()))
        yield f"module `{name}`: {ROOMS[name]}"
