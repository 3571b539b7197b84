"""Each check on sources that break it, and on sources that do not."""

import tempfile
from pathlib import Path

import circles
import layers
import lines
import words
from rust import Tree, blank, flatten, without_tests


def problems() -> list[str]:
    return [f"self-test: {it}" for test in (_reading, _circles, _layers, _lines, _words) for it in test()]


def _tree(folder: str, sources: dict[str, str]) -> Tree:
    for name, text in sources.items():
        (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_text(text)
    return Tree(Path(folder), sorted(sources))


def _expect(check, sources: dict[str, str], wanted: list[str]):
    """One problem for each text that is wanted, which holds it; no other problems."""
    with tempfile.TemporaryDirectory() as folder:
        found = check(_tree(folder, sources))
    if len(found) != len(wanted) or not all(text in it for text, it in zip(wanted, found)):
        yield f"{check.__module__}: {sorted(sources)}: wanted {wanted}, found {found}"


def _reading():
    text = 'a /* b /* c */ d */ e // f\n"g \\" h" \'i\' r#"j " k"# b"l" \'static m'
    if blank(text).split() != ["a", "e", "'static", "m"] or blank(text).count("\n") != 1:
        yield f"blank: {blank(text)!r}"
    text = "#[cfg(test)]\n#[path = x]\nmod a { use b; }\n#[cfg(all(test, c))]\nmod d;\nfn e() {}"
    if without_tests(text).split() != ["fn", "e()", "{}"]:
        yield f"without_tests: {without_tests(text)!r}"
    flat = flatten("crate::a::{self, b, c as d, e::{F, *}}")
    paths = ["::".join(path) + " " + name for path, name in flat]
    if paths != ["crate::a a", "crate::a::b b", "crate::a::c d", "crate::a::e::F F", "crate::a::e::* *"]:
        yield f"flatten: {paths}"


def _crate(**files: str) -> dict[str, str]:
    """A crate of files in `x/src`: `a__b` is the file `a/b.rs`."""
    sources = {f"x/src/{name.replace('__', '/')}.rs": text for name, text in files.items()}
    return {"x/Cargo.toml": "", "x/src/lib.rs": "mod a; mod b;", **sources}


def _circles():
    kinds = {
        "use": ("use crate::b::B;", "use crate::a::{self, A};"),
        "groups": ("use crate::{b::{B}, a};", "use super::a::A as C;"),
        "paths": ("fn f() { crate::b::g::<u8>() }", "fn g() { super::a::f() }"),
        "a module's name": ("use crate::b; fn f() { b::g() }", "use crate::a; fn g() { a::f() }"),
        "globs": ("use crate::b::*; fn f(_: B) {}", "use crate::a::*; fn g() { f() }"),
        "inline modules": ("mod i { use crate::b::B; }", "mod j { mod k { use super::super::super::a::A; } }"),
    }
    for a, b in kinds.values():
        files = _crate(a=f"{a} struct A;", b=f"{b} struct B;")
        yield from _expect(circles.problems, files, ["x/src/a.rs:1: circle of 2 files"])
    through_the_front_page = {
        "a__mod": "mod one; mod two; pub use one::One; pub use two::Two;",
        "a__one": "pub struct One;",
        "a__two": "use super::One; pub struct Two(One);",
        "b": "",
    }
    yield from _expect(circles.problems, _crate(**through_the_front_page), [])
    in_the_front_page = {**through_the_front_page, "a__mod": "mod one; mod two; pub use two::Two; struct One; type T = Two;"}
    yield from _expect(circles.problems, _crate(**in_the_front_page), ["circle of 2 files"])
    not_seen = _crate(a="use crate::b::B;", b="// crate::a\n#[cfg(test)] mod tests { use crate::a::A; } struct B;")
    yield from _expect(circles.problems, not_seen, [])
    by_three = _crate(a="use crate::b::B; struct A;", b="mod c; use c::C; struct B;", b__c="use crate::a::A; struct C;")
    yield from _expect(circles.problems, by_three, ["circle of 3 files"])


def _layers():
    below, apart = {"a": [], "b": ["a"]}, {"b": "all"}

    def check(tree: Tree) -> list[str]:
        return [it for crate in tree.crates for it in layers.of_crate(crate, below, apart)]

    check.__module__ = "layers"
    up = _crate(a="fn f() { crate::b::g() }", b="fn g() {}")
    yield from _expect(check, up, ["x/src/a.rs:1: `crate::b::g` of x/src/b.rs: `a` may import no other layer"])
    yield from _expect(check, _crate(a="pub fn f() {}", b="fn g() { crate::a::f() }"), [])
    from_lib = {**_crate(a="use crate::L;", b=""), "x/src/lib.rs": "mod a; mod b; struct L;"}
    yield from _expect(check, from_lib, ["x/src/a.rs:1: `L` of x/src/lib.rs"])
    unknown = {**_crate(a="", b="", c=""), "x/src/lib.rs": "mod a; mod b; mod c;"}
    yield from _expect(check, unknown, ["x/src/c:1: `c` is no layer"])
    beside = _crate(a="", b__mod="mod one; mod two;", b__one="use super::two::T;", b__two="struct T;")
    yield from _expect(check, beside, ["x/src/b/one.rs:1: `T` of x/src/b/two.rs: no part of `b`"])
    dispatching = _crate(a="", b__mod="mod all; mod two;", b__all="use super::two::T;", b__two="struct T;")
    yield from _expect(check, dispatching, [])
    for crate, layer_below in layers.BELOW.items():
        yield from (f"layers: {crate}: {it}" for it in _not_downwards(layer_below))
    if not list(_not_downwards({"a": ["b"], "b": ["a"]})) or not list(_not_downwards({"a": ["b"]})):
        yield "layers: layers that import each other are not noticed"


def _not_downwards(below: dict[str, list[str]]):
    """What keeps the layers from standing in an order in which each imports only what comes later."""
    left = {layer: set(others) for layer, others in below.items()}
    while free := [layer for layer, others in left.items() if not others & left.keys()]:
        for layer in free:
            if unknown := left.pop(layer) - below.keys():
                yield f"`{layer}` may import `{unknown}`, which is no layer"
    if left:
        yield f"{sorted(left)} may import each other"


def _lines():
    yield from _expect(lines.problems, {"a.rs": "\n" * 400, "b.rs": "\n" * 401}, ["b.rs:401: 401 lines"])


def _words():
    for phrase in words.PROSE:
        joined = "".join(word.capitalize() for word in phrase.split())
        for text in (f"x {phrase}, y", f"X_{phrase.replace(' ', '_').upper()}", f"is{joined}Y"):
            yield from _expect(words.problems, {"a.md": f"\n{text}\n"}, [f"a.md:2: `{phrase}`"])
    for name in words.TYPES:
        yield from _expect(words.problems, {"a.rs": f"// {name}\n{name}\n{name}x"}, [f"a.rs:2: `{name}`"])
    for room in words.ROOMS:
        yield from _expect(words.problems, {"a.rs": f"// {room}::\nmod {room};"}, [f"a.rs:2: module `{room}`"])
    yield from _expect(words.problems, {"a.md": "Indoors, dice\n", "LICENSE": next(iter(words.PROSE))}, [])
