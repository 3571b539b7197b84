#!/usr/bin/env python3
"""Checks the shape of the source code. Python's standard library is all it needs.

  .ci/architecture.py [NAME...]     runs all checks, or the named ones
  .ci/architecture.py --self-test   runs each check on sources that break it; fails if one goes unnoticed

Checks:
  circles   no circle of imports between the files of a crate
  layers    folders import only downwards (the arrows are in .ci/shape/layers.py)
  lines     no Rust file has more than 400 lines
  words     words that were replaced by the field's own do not come back (.ci/shape/words.py)

Each problem is one line: FILE:LINE: what is wrong, and what to do. Exit code 1 if there is one.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "shape"))
sys.dont_write_bytecode = True

import circles  # noqa: E402
import layers  # noqa: E402
import lines  # noqa: E402
import rust  # noqa: E402
import self_test  # noqa: E402
import words  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def tracked_files(root: Path) -> list[str]:
    """The files that git knows of, and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return sorted(name for name in set(listed.stdout.splitlines()) if (root / name).is_file())


def main(arguments: list[str]) -> int:
    if arguments == ["--self-test"]:
        problems = self_test.problems()
    else:
        checks = {"circles": circles.problems, "layers": layers.problems, "lines": lines.problems, "words": words.problems}
        if unknown := [name for name in arguments if name not in checks]:
            print(__doc__, file=sys.stderr)
            print(f"error: no check is named {' '.join(unknown)}", file=sys.stderr)
            return 2
        tree = rust.Tree(ROOT, tracked_files(ROOT))
        problems = [it for name in arguments or checks for it in checks[name](tree)]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
