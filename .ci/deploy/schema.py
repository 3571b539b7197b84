"""Validates objects against Kubernetes' own schemas; unknown fields are errors."""

import copy
import warnings

import kubernetes_validate

warnings.filterwarnings("ignore")
from cloudcoil.models.keda.v1alpha1 import ScaledObject  # noqa: E402 (it warns)

# The oldest version with every feature in use (preStop with sleep), and the newest with a schema.
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
    """KEDA's type drops unknown fields: fields that are missing afterwards are unknown."""
    try:
        known = ScaledObject.model_validate(it).model_dump(by_alias=True, exclude_none=True, mode="json")
    except ValueError as error:
        return [str(error).replace("\n", " ")]
    return list(_lost(it, known, ""))


def _lost(given, known, path):
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(known, dict) or key not in known:
                yield f"KEDA knows no field {path}.{key}"
            else:
                yield from _lost(value, known[key], f"{path}.{key}")
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from _lost(value, known[number], f"{path}[{number}]")


def self_test(objects: list[dict]) -> list[str]:
    """Every kind of object is rejected with an additional, unknown field."""
    missed = []
    for it in objects:
        broken = copy.deepcopy(it)
        broken.get("spec", broken)["colour"] = "red"
        if not problems([broken]):
            missed.append(f"self-test: {it['kind']} is accepted with an unknown field")
    return missed
