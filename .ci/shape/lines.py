"""No Rust file has more than 400 lines."""

from rust import Tree

LIMIT = 400


def problems(tree: Tree) -> list[str]:
    found = []
    for file in tree.files:
        if file.endswith(".rs"):
            count = (tree.root / file).read_text().count("\n")
            if count > LIMIT:
                found.append(f"{file}:{LIMIT + 1}: {count} lines, {LIMIT} at most. Split the file where its subject changes.")
    return found
