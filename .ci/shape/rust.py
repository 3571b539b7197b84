"""Reads Rust sources just far enough to know which file imports what from which file.

It is no parser of Rust: comments, literals and test code are blanked, then modules, items, `use`
declarations and paths are found by pattern. Names are resolved through re-exports to the file that
defines them. Not seen: names that a macro makes, and paths inside a macro's string arguments.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

RAW = re.compile(r'\b(?:br|cr|r)(#*)"')
VISIBILITY = r"(?:pub(?:\s*\([^)]*\))?\s+)?"
MODULE = re.compile(rf"(?P<pub>{VISIBILITY})\bmod\s+(?:r#)?(?P<name>\w+)\s*(?P<end>[;{{])")
ITEM = re.compile(
    r"\b(?:fn|struct|enum|union|trait|type|static|const(?!\s+fn\b)|macro_rules!)\s+(?:mut\s+|unsafe\s+)?(?:r#)?(\w+)"
)
USE = re.compile(rf"(?P<pub>{VISIBILITY})\buse\s+(?P<tree>[^;]+);")
PATH = re.compile(r"(?<![\w:.])(?:\$?(?:r#)?\w+)(?:\s*::\s*(?:r#)?\w+)+")
NAME = re.compile(r"\b[A-Za-z_]\w*\b")
TEST_ATTRIBUTE = re.compile(r"#(!?)\[\s*cfg\s*\(\s*(?:test\b|all\s*\(\s*test\b)")


def blank(text: str) -> str:
    """The text with comments, strings and characters replaced by spaces, line by line the same."""
    out, position = [], 0

    def skip(end: int) -> None:
        nonlocal position
        out.append(re.sub(r"[^\n]", " ", text[position:end]))
        position = end

    token = re.compile(
        r'//|/\*|\b(?:br|cr|r)#*"|\b[bc]"|"|\bb?\'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\'\\\n])\'|'
        r"'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\\n])'",
        re.DOTALL,
    )
    while found := token.search(text, position):
        out.append(text[position : found.start()])
        position = found.start()
        start = found.group()
        if start == "//":
            end = text.find("\n", position)
            skip(len(text) if end < 0 else end)
        elif start == "/*":
            skip(_end_of_comment(text, position))
        elif raw := RAW.fullmatch(start):
            end = text.find('"' + raw.group(1), found.end())
            skip(len(text) if end < 0 else end + 1 + len(raw.group(1)))
        elif start.endswith('"'):
            end = re.compile(r'(?:\\.|[^"\\])*"', re.DOTALL).match(text, found.end())
            skip(end.end() if end else len(text))
        else:
            skip(found.end())
    out.append(text[position:])
    return "".join(out)


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    return len(text)


def end_of_block(text: str, opening: int) -> int:
    """The position behind the bracket that closes the one at `opening`."""
    pairs = {"{": "}", "[": "]", "(": ")"}
    depth, opens, closes = 0, text[opening], pairs[text[opening]]
    for position in range(opening, len(text)):
        if text[position] == opens:
            depth += 1
        elif text[position] == closes:
            depth -= 1
            if depth == 0:
                return position + 1
    return len(text)


def without_tests(text: str) -> str:
    """The blanked text without the items that only tests have."""
    while found := TEST_ATTRIBUTE.search(text):
        if found.group(1):
            return re.sub(r"[^\n]", " ", text)
        end = _end_of_item(text, end_of_block(text, text.index("[", found.start())))
        text = text[: found.start()] + re.sub(r"[^\n]", " ", text[found.start() : end]) + text[end:]
    return text


def _end_of_item(text: str, position: int) -> int:
    while position < len(text):
        letter = text[position]
        if letter == ";" or letter == ",":
            return position + 1
        if letter == "{":
            return end_of_block(text, position)
        position = end_of_block(text, position) if letter in "([" else position + 1
    return position


def flatten(tree: str) -> list[tuple[list[str], str]]:
    """The paths of a use tree, each with the name it binds: `a::{b as c, d::*}` is a::b (c) and a::d (*)."""
    tree = tree.strip().removeprefix("::")
    opening = tree.find("{")
    if opening >= 0:
        prefix = [part.strip() for part in tree[:opening].split("::") if part.strip()]
        inner = tree[opening + 1 : end_of_block(tree, opening) - 1]
        flat = [it for part in _split(inner) for it in flatten(part)]
        return [(prefix + path, name or prefix[-1]) for path, name in flat]
    path, _, alias = tree.partition(" as ")
    parts = [part.strip().removeprefix("r#") for part in path.split("::")]
    if parts[-1] == "self":
        return [(parts[:-1], alias.strip())]
    return [(parts, alias.strip() or parts[-1])]


def _split(inner: str) -> list[str]:
    parts, depth, part = [], 0, ""
    for letter in inner:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [part for part in [*parts, part] if part.strip()]


@dataclass
class Use:
    path: list[str]
    name: str
    line: int
    public: bool


@dataclass
class Module:
    path: tuple[str, ...]
    file: str
    text: str
    first_line: int
    parent: "Module | None"
    children: dict[str, "Module"] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)


@dataclass(frozen=True)
class Import:
    file: str
    line: int
    name: str
    target: str


class Crate:
    """The modules of one root file, and the imports between their files."""

    def __init__(self, root: Path, name: str, main: str, library: "Crate | None" = None):
        self.root, self.name, self.library = root, name, library
        self.modules: list[Module] = []
        self.macros: dict[str, str] = {}
        self.top = self._read((), main, Path(main).parent, None)

    def _read(self, path: tuple[str, ...], file: str, folder: Path, parent: Module | None) -> Module:
        text = without_tests(blank((self.root / file).read_text()))
        return self._module(path, file, folder, text, 1, parent)

    def _module(self, path, file, folder, text, first_line, parent) -> Module:
        module = Module(path, file, text, first_line, parent)
        self.modules.append(module)
        text = self._take_modules(module, folder)
        for found in USE.finditer(text):
            line = first_line + text.count("\n", 0, found.start("tree"))
            for parts, name in flatten(found["tree"]):
                module.uses.append(Use(parts, name, line, bool(found["pub"].strip())))
        text = USE.sub(lambda it: re.sub(r"[^\n]", " ", it.group()), text)
        for found in ITEM.finditer(text):
            module.items.add(found.group(1))
            if found.group().startswith("macro_rules!") and "macro_export" in text[: found.start()][-200:]:
                self.macros[found.group(1)] = file
        module.text = text
        return module

    def _take_modules(self, module: Module, folder: Path) -> str:
        """Reads the modules that are declared here, and blanks them in the text that it returns."""
        text, position = module.text, 0
        while found := MODULE.search(text, position):
            position = found.end()
            name = found["name"]
            path = module.path + (name,)
            if found["end"] == "{":
                end = end_of_block(text, found.end() - 1)
                line = module.first_line + text.count("\n", 0, found.end())
                body = text[found.end() : end - 1]
                module.children[name] = self._module(path, module.file, folder / name, body, line, module)
                text = text[: found.start()] + re.sub(r"[^\n]", " ", text[found.start() : end]) + text[end:]
            elif child := self._file_of(module, folder, name, text[: found.start()]):
                inner = child.parent if child.name == "mod.rs" else child.parent / child.stem
                module.children[name] = self._read(path, str(child), inner, module)
        return text

    def _file_of(self, module: Module, folder: Path, name: str, before: str) -> Path | None:
        """The file of a module that is declared with a semicolon; None for one made by a macro."""
        line = before.count("\n")
        declared = (self.root / module.file).read_text().split("\n")
        for above in range(max(0, module.first_line - 1 + line - 3), module.first_line + line):
            if given := re.search(r'#\[path\s*=\s*"([^"]+)"\]', declared[above]):
                after = "\n".join(declared[above:])
                if re.match(rf'.*?\]\s*(?:#\[[^\]]*\]\s*)*{VISIBILITY}mod\s+{name}\s*;', after, re.DOTALL):
                    return Path(_normal(Path(module.file).parent / given.group(1)))
        for candidate in (folder / f"{name}.rs", folder / name / "mod.rs"):
            if (self.root / candidate).is_file():
                return candidate
        return None

    # Resolution of names.

    def start_of(self, module: Module, first: str) -> "tuple[Module | None, bool]":
        """The module that a path's keyword names, and whether the first part was one."""
        if first in ("crate", "$crate"):
            return self.top, True
        if first == "self":
            return module, True
        if first == "super":
            return module.parent, True
        return module, False

    def resolve(self, module: Module, path: list[str], seen: frozenset = frozenset()) -> "str | Module | None":
        """The module or the file that a path names; None for what is not of this crate."""
        if self.library and path[0] == self.library.name:
            return self.library.resolve(self.library.top, ["self", *path[1:]], seen)
        at, keyword = self.start_of(module, path[0])
        parts = path[1:] if keyword else path
        while keyword and parts and parts[0] == "super" and at:
            at, parts = at.parent, parts[1:]
        for number, part in enumerate(parts):
            if at is None:
                return None
            found = self.lookup(at, part, seen)
            if not isinstance(found, Module):
                # In a path that begins with a keyword, an unknown name is one that a macro made there.
                if found is None and (keyword or number > 0):
                    return self.macros.get(part, at.file)
                return found
            at = found
        return at

    def lookup(self, module: Module, name: str, seen: frozenset) -> "str | Module | None":
        if (id(module), name) in seen:
            return None
        seen = seen | {(id(module), name)}
        if name in module.children:
            return module.children[name]
        if name in module.items:
            return module.file
        for use in module.uses:
            if use.name == name and use.path and use.path != [name]:
                return self.resolve(module, use.path, seen)
        for use in module.uses:
            if use.name == "*":
                inside = self.resolve(module, use.path[:-1], seen) if use.path[:-1] else None
                if isinstance(inside, Module) and (found := self.lookup(inside, name, seen)):
                    return found
        return None

    # Imports.

    def imports(self) -> list[Import]:
        return [it for module in self.modules for it in self._imports_of(module)]

    def _imports_of(self, module: Module):
        mentioned = {found.group() for found in NAME.finditer(module.text)}
        for use in module.uses:
            if use.name == "*":
                yield from self._glob(module, use, mentioned)
                continue
            target = self.resolve(module, use.path)
            if isinstance(target, Module):
                # What is used of a module, its paths say.
                continue
            if target and not self._front_page(module, use, mentioned):
                yield Import(module.file, use.line, use.name, target)
        for found in PATH.finditer(module.text):
            path = [part.strip().removeprefix("r#") for part in found.group().split("::")]
            target = self.resolve(module, path)
            if isinstance(target, str):
                line = module.first_line + module.text.count("\n", 0, found.start())
                yield Import(module.file, line, "::".join(path), target)

    def _glob(self, module: Module, use: Use, mentioned: set[str]):
        inside = self.resolve(module, use.path[:-1]) if use.path[:-1] else None
        if not isinstance(inside, Module) or use.public:
            return
        own = module.items | module.children.keys() | {it.name for it in module.uses}
        for name in sorted(mentioned - own):
            target = self.lookup(inside, name, frozenset())
            if isinstance(target, str):
                yield Import(module.file, use.line, name, target)

    def _front_page(self, module: Module, use: Use, mentioned: set[str]) -> bool:
        """Whether a re-export only lists what is below the module, which then does not depend on it."""
        if not use.public or use.name in mentioned:
            return False
        first, *rest = use.path
        if first == "crate":
            return tuple(use.path[1 : len(module.path) + 1]) == module.path
        return first == "self" or (first in module.children and bool(rest))


class Tree:
    """The repository: its files, and the crates that its library, program, benches and examples are."""

    def __init__(self, root: Path, files: list[str]):
        self.root, self.files = root, files
        self.crates = list(self._crates())

    def _crates(self):
        files = set(self.files)
        for manifest in sorted(it for it in files if Path(it).name == "Cargo.toml"):
            folder = Path(manifest).parent
            library = None
            if (main := str(folder / "src/lib.rs")) in files:
                library = Crate(self.root, folder.name.replace("-", "_"), main)
                yield library
            for file in sorted(files):
                if self._is_root(Path(file), folder):
                    yield Crate(self.root, Path(file).stem, file, library)

    @staticmethod
    def _is_root(file: Path, folder: Path) -> bool:
        if file == folder / "src/main.rs":
            return True
        for kind in ("benches", "examples", "src/bin"):
            if file.suffix == ".rs" and (file.parent == folder / kind):
                return True
            if file.name == "main.rs" and file.parent.parent == folder / kind:
                return True
        return False


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return str(Path(*parts))
