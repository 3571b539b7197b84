"""Whether objects are what Kubernetes takes, by its own schemas, in which unknown fields are errors."""

import copy
import warnings

import kubernetes_validate

warnings.filterwarnings("ignore")
from cloudcoil.models.keda.v1alpha1 import ScaledObject  # noqa: E402 (it warns)

# The oldest that has all that the manifests use (preStop with sleep), and the newest with a schema.
VERSIONS = ["1.30", "1.37"]


def problems(objects: list[dict]) -> list[str]:
    return [problem for it in objects for problem in _of(it)]


def _of(it: dict) -> list[str]:
    name = f"{it.get('kind')} {it.get('metadata', {}).get('name')}"
    if it.get("kind") == "ScaledObject":
        return [f"{name}: {problem}" for problem in _of_keda(it)]
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(it, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            found.append(f"{name}: Kubernetes {version}: {path}: {error.message}")
        except Exception as error:  # no schema for it
            found.append(f"{name}: Kubernetes {version}: {getattr(error, 'message', error)}")
    return found


def _of_keda(it: dict) -> list[str]:
    """KEDA's type ignores what it does not know: what it did not keep is unknown."""
    try:
        kept = ScaledObject.model_validate(it).model_dump(by_alias=True, exclude_none=True, mode="json")
    except ValueError as error:
        return [str(error).replace("\n", " ")]
    return list(_lost(it, kept, ""))


def _lost(given, kept, path):
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(kept, dict) or key not in kept:
                yield f"KEDA knows no field {path}.{key}"
            else:
                yield from _lost(value, kept[key], f"{path}.{key}")
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from _lost(value, kept[number], f"{path}[{number}]")


def self_test(objects: list[dict]) -> list[str]:
    """Each kind with a field that does not exist must be found."""
    missed = []
    for it in objects:
        broken = copy.deepcopy(it)
        broken.get("spec", broken)["colour"] = "red"
        if not problems([broken]):
            missed.append(f"self-test: a field that does not exist was not found in {it['kind']}")
    return missed
