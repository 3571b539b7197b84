"""Checks everything that deploys CAST; .ci/check-deploy calls it with the folder of its tools."""

import subprocess
import sys
from pathlib import Path

import compose
import lint
import policy
import schema

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ["single-node", "production"]


def main(tools: Path) -> int:
    problems = []
    for overlay in OVERLAYS:
        objects = policy.rendered(tools / "kubectl", ROOT / "k8s/overlays" / overlay)
        found = schema.problems(objects) + policy.problems(objects)
        if not found:
            found = schema.self_test(objects) + policy.self_test(objects)
        print(f"overlay {overlay}: {len(objects)} objects")
        problems += [f"k8s/overlays/{overlay}: {problem}" for problem in found]
    problems += compose.problems(tools / "docker-compose", ROOT)
    problems += lint.problems(tools, ROOT)
    problems += committed_secrets()
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


def committed_secrets() -> list[str]:
    """Committed files whose name, or objects whose kind, says that they contain secrets."""
    listed = subprocess.run(
        ["git", "ls-files", "--", ".env", "*/.env", "k8s"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    named = [f"{name}: must not be committed" for name in listed if Path(name).name == ".env"]
    kinds = [
        f"{name}: a Secret must not be committed"
        for name in listed
        if name.endswith(".yaml") and "kind: Secret\n" in (ROOT / name).read_text()
    ]
    if "k8s/base/kustomization.yaml" not in listed:
        kinds.append("git lists no manifests: no file was checked")
    return named + kinds


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
