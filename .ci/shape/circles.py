"""No circle of imports between the files of a crate."""

from collections import deque

from rust import Crate, Import, Tree


def problems(tree: Tree) -> list[str]:
    return [problem for crate in tree.crates for problem in _circles(crate)]


def _circles(crate: Crate):
    edges: dict[str, dict[str, Import]] = {}
    for it in crate.imports():
        if it.file != it.target:
            edges.setdefault(it.file, {}).setdefault(it.target, it)
    for component in _components(edges):
        first, *rest = _shortest(edges, component)
        steps = "; ".join(f"{it.file}:{it.line} imports `{it.name}` of {it.target}" for it in [first, *rest])
        others = len(component) - len(rest) - 1
        more = f" ({others} more files hang on it)" if others else ""
        yield (
            f"{first.file}:{first.line}: circle of {len(component)} files: {steps}{more}. "
            "Move what both sides need into a file below them, or pass it in as an argument."
        )


def _components(edges: dict[str, dict[str, Import]]) -> list[list[str]]:
    """Groups of files that reach each other (Tarjan's algorithm), without recursion."""
    number, low, stack, on_stack, groups = {}, {}, [], set(), []
    for root in sorted(edges):
        if root in number:
            continue
        work = [(root, iter(sorted(edges.get(root, {}))))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            file, targets = work[-1]
            for target in targets:
                if target not in number:
                    number[target] = low[target] = len(number)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(sorted(edges.get(target, {})))))
                    break
                if target in on_stack:
                    low[file] = min(low[file], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[file])
                if low[file] == number[file]:
                    group = []
                    while not group or group[-1] != file:
                        group.append(stack.pop())
                        on_stack.discard(group[-1])
                    if len(group) > 1:
                        groups.append(sorted(group))
    return groups


def _shortest(edges: dict[str, dict[str, Import]], component: list[str]) -> list[Import]:
    """The shortest circle inside a group."""
    best: list[Import] = []
    inside = set(component)
    for start in component:
        came, queue = {}, deque([start])
        while queue and start not in came:
            file = queue.popleft()
            for target, it in sorted(edges.get(file, {}).items()):
                if target in inside and target not in came:
                    came[target] = it
                    queue.append(target)
        path, at = [], start
        while start in came and (not path or at != start):
            path.append(came[at])
            at = came[at].file
        if path and (not best or len(path) < len(best)):
            best = path[::-1]
    return best
