"""Rules for the manifests. Each is a function that yields violations, and has changes that break it: the
self-test applies each to a copy of the manifests and expects a violation."""

import copy
import re
import subprocess
from pathlib import Path

import yaml

# Created by build-and-deploy.sh when CAST is installed.
SECRETS = {
    "cast-urls": {"tickets-url", "counter-url", "bus-url", "store-url"},
    "cast-ticket-keys": {"ticket-keys"},
    "cast-postgres": {"password"},
}
WORKLOADS = ("Deployment", "StatefulSet", "Job")
# Its image writes to the root file system: see its manifest.
MAY_WRITE = {"kafka"}
LONG_HEX = re.compile(r"[0-9a-f]{40}")


def rendered(kubectl: Path, overlay: Path) -> list[dict]:
    text = subprocess.run([kubectl, "kustomize", overlay], capture_output=True, text=True)
    if text.returncode != 0:
        raise SystemExit(f"{overlay}: {text.stderr}")
    return [it for it in yaml.safe_load_all(text.stdout) if it]


def problems(objects: list[dict]) -> list[str]:
    return [f"{rule.__name__}: {problem}" for rule, _ in RULES for problem in rule(objects)]


def self_test(objects: list[dict]) -> list[str]:
    missed = []
    for rule, breaks in RULES:
        for number, break_it in enumerate(breaks):
            broken = copy.deepcopy(objects)
            break_it(broken)
            if not list(rule(broken)):
                missed.append(f"self-test: change {number} that breaks {rule.__name__} yields no violation")
    return missed


# Access to the objects.


def _named(it):
    return f"{it['kind']} {it['metadata']['name']}"


def _workloads(objects):
    return [it for it in objects if it["kind"] in WORKLOADS]


def _pod(it):
    return it["spec"]["template"]["spec"]


def _containers(objects):
    for it in _workloads(objects):
        for container in _pod(it).get("initContainers", []) + _pod(it)["containers"]:
            yield it, container


def _of_kind(objects, *kinds):
    return [it for it in objects if it["kind"] in kinds]


def _selects(selector, labels):
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    return all(labels.get(it["key"]) in it["values"] for it in selector.get("matchExpressions", []))


def _seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def _millicores(quantity):
    number, is_milli = re.fullmatch(r"([\d.]+)(m?)", str(quantity)).groups()
    return float(number) * (1 if is_milli else 1000)


# The rules.


def restricted_pods(objects):
    """Kubernetes' Pod Security Standard `restricted`, which the namespace enforces."""
    for it in _workloads(objects):
        pod = _pod(it)
        context = pod.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("runAsUser", 0) == 0:
            yield f"{_named(it)} may run as root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{_named(it)} has no seccomp profile"
        if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{_named(it)} shares the node's namespaces"
        if any("hostPath" in volume for volume in pod.get("volumes", [])):
            yield f"{_named(it)} mounts a folder of the node"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{_named(it)} has a token for the Kubernetes API"
        if pod.get("enableServiceLinks") is not False:
            yield f"{_named(it)} gets variables for Services"
    for it, container in _containers(objects):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{_named(it)} may gain privileges"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{_named(it)} keeps capabilities"
        if not context.get("readOnlyRootFilesystem") and it["metadata"]["name"] not in MAY_WRITE:
            yield f"{_named(it)} may write to its image"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{_named(it)} binds a port of the node"


def restricted_namespace(objects):
    namespaces = _of_kind(objects, "Namespace")
    level = "pod-security.kubernetes.io/enforce"
    if [it["metadata"].get("labels", {}).get(level) for it in namespaces] != ["restricted"]:
        yield "the namespace does not enforce the level restricted"
    names = {it["metadata"]["name"] for it in namespaces}
    for it in objects:
        if it["kind"] != "Namespace" and it["metadata"].get("namespace") not in names:
            yield f"{_named(it)} is in a namespace that the manifests do not define"


def pinned_images(objects):
    for it, container in _containers(objects):
        _, colon, tag = container["image"].rpartition("/")[2].partition(":")
        if not colon or tag == "latest" or not any(digit.isdigit() for digit in tag):
            yield f"{_named(it)} has the image {container['image']}, whose tag is no version"
        if container.get("imagePullPolicy") == "Always":
            yield f"{_named(it)} pulls its image at every start"


def bounded_containers(objects):
    for it, container in _containers(objects):
        for bound in ("requests", "limits"):
            if not {"cpu", "memory"} <= container.get("resources", {}).get(bound, {}).keys():
                yield f"{_named(it)} has no {bound} of cpu and memory"


def modest_requests(objects):
    """An overlay with its servers fits on a node of two cores, of which the cluster's own pods take one."""
    if not _of_kind(objects, "StatefulSet"):
        return
    wanted = sum(
        it["spec"].get("replicas", 1) * _millicores(container["resources"]["requests"]["cpu"])
        for it, container in _containers(objects)
    )
    if wanted > 1000:
        yield f"the containers request {wanted}m CPU, and 1000m are available"


def probed_containers(objects):
    for it, container in _containers(objects):
        if it["kind"] == "Job":
            continue
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"{_named(it)} has no {probe}"
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            probe = container.get(name, {})
            for way in ("httpGet", "tcpSocket"):
                if way in probe and probe[way]["port"] not in ports:
                    yield f"{_named(it)} has a probe of a port that it does not declare"


def draining_roles(objects):
    """Kubernetes kills a pod after its grace period, which includes preStop."""
    (settings,) = _of_kind(objects, "ConfigMap")
    drain = _seconds(settings["data"]["CAST_DRAIN_TIMEOUT"])
    for it in _of_kind(objects, "Deployment"):
        container = _pod(it)["containers"][0]
        stop = container.get("lifecycle", {}).get("preStop", {})
        sleep = stop.get("sleep", {}).get("seconds", 0)
        if _pod(it).get("terminationGracePeriodSeconds", 30) <= sleep + drain:
            yield f"{_named(it)} may be killed during graceful shutdown"
        if "exec" in stop:
            yield f"{_named(it)}: preStop executes a program, and the image has none"
        if it["metadata"]["name"] == "api" and sleep == 0:
            yield f"{_named(it)} stops listening before its Service stops sending to it"


def sound_references(objects):
    """Every referenced object exists."""
    maps = {it["metadata"]["name"] for it in _of_kind(objects, "ConfigMap")}
    for it, container in _containers(objects):
        for source in container.get("envFrom", []):
            if source.get("configMapRef", {}).get("name") not in maps:
                yield f"{_named(it)} takes variables from {source}, which does not exist"
        for variable in container.get("env", []):
            ref = variable.get("valueFrom", {}).get("secretKeyRef")
            if ref and ref["key"] not in SECRETS.get(ref["name"], set()):
                yield f"{_named(it)} takes {variable['name']} from a secret that does not exist: {ref}"
        for volume in _pod(it).get("volumes", []):
            if "secret" in volume and volume["secret"]["secretName"] not in SECRETS:
                yield f"{_named(it)} has a volume of a secret that does not exist"
    pods = [it["spec"]["template"]["metadata"]["labels"] for it in _workloads(objects)]
    for it in _of_kind(objects, "Service"):
        chosen = [labels for labels in pods if _selects({"matchLabels": it["spec"]["selector"]}, labels)]
        if len(chosen) != 1:
            yield f"{_named(it)} selects {len(chosen)} workloads"
    for it in _of_kind(objects, "NetworkPolicy", "PodDisruptionBudget"):
        selector = it["spec"].get("podSelector", it["spec"].get("selector"))
        if not any(_selects(selector, labels) for labels in pods):
            yield f"{_named(it)} selects no pod"
    names = {(it["kind"], it["metadata"]["name"]) for it in objects}
    for it in _of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = it["spec"]["scaleTargetRef"]
        if (target.get("kind", "Deployment"), target["name"]) not in names:
            yield f"{_named(it)} scales a workload that does not exist"
    for it in _of_kind(objects, "Ingress"):
        for rule in it["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                if ("Service", path["backend"]["service"]["name"]) not in names:
                    yield f"{_named(it)} routes to a Service that does not exist"


def scaled_by_one(objects):
    """A Deployment with an autoscaler has no replicas in its manifest, which would reset them when applied."""
    scaled = {
        it["spec"]["scaleTargetRef"]["name"]
        for it in _of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    }
    for it in _of_kind(objects, "Deployment"):
        has_number = "replicas" in it["spec"]
        if has_number == (it["metadata"]["name"] in scaled):
            yield f"{_named(it)} has both replicas and an autoscaler, or neither"
        if has_number and it["spec"]["replicas"] < 2:
            yield f"{_named(it)} has one replica: a rolling update would be an outage"


def denied_networks(objects):
    policies = [it["spec"] for it in _of_kind(objects, "NetworkPolicy")]
    deny = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if deny not in policies:
        yield "no policy denies all connections by default"
    for it in _workloads(objects):
        labels = it["spec"]["template"]["metadata"]["labels"]
        listens = any(container.get("ports") for container in _pod(it)["containers"])
        admits = any("ingress" in spec and _selects(spec["podSelector"], labels) for spec in policies)
        if listens != admits:
            yield f"{_named(it)} listens without a policy that admits connections, or the other way round"


def no_secrets(objects):
    for it in _of_kind(objects, "Secret"):
        yield f"{_named(it)} must not be in the manifests"
    for it, container in _containers(objects):
        for variable in container.get("env", []):
            value = variable.get("value", "")
            if LONG_HEX.search(value) or re.search(r"://[^/]*:[^/]*@", value):
                yield f"{_named(it)} has a secret in {variable['name']}"
    for it in _of_kind(objects, "ConfigMap"):
        for name, value in it["data"].items():
            if LONG_HEX.search(value) or re.search(r"://[^/]*:[^/]*@", value):
                yield f"{_named(it)} has a secret in {name}"


# Changes that break the rules.


def _first(objects, kind):
    return next(it for it in objects if it["kind"] == kind)


def _container(objects):
    return _pod(_first(objects, "Deployment"))["containers"][0]


def _set(path, value):
    """Sets the value at `path` in the first Deployment; None removes it."""

    def break_it(objects):
        at = _first(objects, "Deployment")
        *parents, last = path
        for part in parents:
            at = at[part]
        if value is None:
            del at[last]
        else:
            at[last] = value

    return break_it


def _server(cpu):
    pod = {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}
    return {"kind": "StatefulSet", "metadata": {"name": "server"}, "spec": {"template": {"spec": pod}}}


_POD = ("spec", "template", "spec")
_CONTAINER = (*_POD, "containers", 0)

RULES = [
    (
        restricted_pods,
        [
            _set((*_POD, "securityContext", "runAsNonRoot"), None),
            _set((*_POD, "securityContext", "runAsUser"), 0),
            _set((*_POD, "securityContext", "seccompProfile"), None),
            _set((*_POD, "hostNetwork"), True),
            _set((*_POD, "volumes"), [{"name": "x", "hostPath": {"path": "/"}}]),
            _set((*_POD, "automountServiceAccountToken"), None),
            _set((*_POD, "enableServiceLinks"), None),
            _set((*_CONTAINER, "securityContext", "allowPrivilegeEscalation"), None),
            _set((*_CONTAINER, "securityContext", "capabilities", "add"), ["NET_ADMIN"]),
            _set((*_CONTAINER, "securityContext", "readOnlyRootFilesystem"), None),
            _set((*_CONTAINER, "ports", 0, "hostPort"), 8000),
        ],
    ),
    (
        restricted_namespace,
        [
            lambda objects: _first(objects, "Namespace")["metadata"].pop("labels"),
            _set(("metadata", "namespace"), "default"),
        ],
    ),
    (
        pinned_images,
        [
            _set((*_CONTAINER, "image"), "cast"),
            _set((*_CONTAINER, "image"), "registry:5000/cast"),
            _set((*_CONTAINER, "image"), "cast:latest"),
            _set((*_CONTAINER, "image"), "cast:stable"),
            _set((*_CONTAINER, "imagePullPolicy"), "Always"),
        ],
    ),
    (
        bounded_containers,
        [
            _set((*_CONTAINER, "resources", "limits", "memory"), None),
            _set((*_CONTAINER, "resources", "requests"), None),
        ],
    ),
    (modest_requests, [lambda objects: objects.append(_server("1001m"))]),
    (
        probed_containers,
        [
            _set((*_CONTAINER, "livenessProbe"), None),
            _set((*_CONTAINER, "readinessProbe"), None),
            _set((*_CONTAINER, "readinessProbe", "httpGet", "port"), "web"),
        ],
    ),
    (
        draining_roles,
        [
            _set((*_POD, "terminationGracePeriodSeconds"), 15),
            _set((*_CONTAINER, "lifecycle"), None),
            _set((*_CONTAINER, "lifecycle", "preStop"), {"exec": {"command": ["sleep", "5"]}}),
            lambda objects: _first(objects, "ConfigMap")["data"].update(CAST_DRAIN_TIMEOUT="1m"),
        ],
    ),
    (
        sound_references,
        [
            _set((*_CONTAINER, "envFrom", 0, "configMapRef", "name"), "cast-old"),
            _set((*_CONTAINER, "env", 0, "valueFrom", "secretKeyRef", "key"), "url"),
            _set((*_POD, "volumes", 0, "secret", "secretName"), "keys"),
            _set(("spec", "template", "metadata", "labels"), {"app.kubernetes.io/name": "app"}),
            lambda objects: objects.append(
                {
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "x"},
                    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}},
                }
            ),
        ],
    ),
    (
        scaled_by_one,
        [
            lambda objects: [it["spec"].update(replicas=1) for it in _of_kind(objects, "Deployment")],
            lambda objects: [it["spec"].pop("replicas", None) for it in _of_kind(objects, "Deployment")],
        ],
    ),
    (
        denied_networks,
        [
            lambda objects: objects.remove(_first(objects, "NetworkPolicy")),
            _set((*_CONTAINER, "ports"), []),
        ],
    ),
    (
        no_secrets,
        [
            lambda objects: objects.append({"kind": "Secret", "metadata": {"name": "x"}}),
            _set((*_CONTAINER, "env", 0), {"name": "A", "value": "1:" + "00" * 32}),
            lambda objects: _first(objects, "ConfigMap")["data"].update(A="postgres://u:p@h/d"),
        ],
    ),
]
