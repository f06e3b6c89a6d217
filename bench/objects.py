"""The API objects of a generated cluster, as kubectl prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.plan import PORT, TARGET_PORT, Plan, PlannedNode, PlannedPod, PlannedService

VERSION = "v1.30.5"
Json = dict[str, Any]

_MADE = "2026-11-20T08:00:00Z"
_READY = "2026-11-20T08:00:09Z"


def nodes(plan: Plan) -> Iterator[Json]:
    """Yield the Node objects."""
    for node in plan.node_list:
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": _metadata(node.name, "", {"kubernetes.io/hostname": node.name}),
            "spec": {"podCIDR": str(node.pod_range), "podCIDRs": [str(node.pod_range)]},
            "status": {
                "addresses": [
                    {"address": node.ip, "type": "InternalIP"},
                    {"address": node.name, "type": "Hostname"},
                ],
                "conditions": [_condition("Ready", reason="KubeletReady")],
                "nodeInfo": {
                    "kubeletVersion": VERSION,
                    "kubeProxyVersion": VERSION,
                    "operatingSystem": "linux",
                },
            },
        }


def namespaces(plan: Plan) -> Iterator[Json]:
    """Yield the Namespace objects."""
    for name in dict.fromkeys(
        ("default", "kube-system", *(s.namespace for s in plan.service_list))
    ):
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": _metadata(name, "", {"kubernetes.io/metadata.name": name}),
            "status": {"phase": "Active"},
        }


def services(plan: Plan) -> Iterator[Json]:
    """Yield the Service objects."""
    for service in plan.service_list:
        port: Json = {"name": "http", "port": PORT, "protocol": "TCP", "targetPort": TARGET_PORT}
        if service.node_port is not None:
            port["nodePort"] = service.node_port
        spec: Json = {
            "clusterIP": service.cluster_ip,
            "clusterIPs": [service.cluster_ip],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [port],
            "selector": {"app": service.name + "-x" * service.mistyped},
            "sessionAffinity": "None",
            "type": "ClusterIP" if service.node_port is None else "NodePort",
        }
        if service.affinity:
            spec["sessionAffinity"] = "ClientIP"
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
        if service.node_port is not None:
            spec["externalTrafficPolicy"] = "Local" if service.local else "Cluster"
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata(service.name, service.namespace, {"app": service.name}),
            "spec": spec,
            "status": {"loadBalancer": {}},
        }


def endpoints(plan: Plan) -> Iterator[Json]:
    """Yield the Endpoints objects."""
    for service in plan.service_list:
        addresses = [
            {"ip": p.ip, "nodeName": p.node.name, "targetRef": _reference(service, p)}
            for p in service.pods
        ]
        ports = [{"name": "http", "port": TARGET_PORT, "protocol": "TCP"}]
        yield {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": _metadata(service.name, service.namespace, {"app": service.name}),
            "subsets": [{"addresses": addresses, "ports": ports}] if addresses else [],
        }


def slices(plan: Plan) -> Iterator[Json]:
    """Yield the EndpointSlice objects, 100 endpoints each at most."""
    for service in plan.service_list:
        labels = {
            "app": service.name,
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "kubernetes.io/service-name": service.name,
        }
        for part in range(0, max(len(service.pods), 1), 100):
            yield {
                "addressType": "IPv4",
                "apiVersion": "discovery.k8s.io/v1",
                "endpoints": [
                    {
                        "addresses": [pod.ip],
                        "conditions": {"ready": True, "serving": True, "terminating": False},
                        "nodeName": pod.node.name,
                        "targetRef": _reference(service, pod),
                    }
                    for pod in service.pods[part : part + 100]
                ],
                "kind": "EndpointSlice",
                "metadata": _metadata(f"{service.name}-{part:05}", service.namespace, labels),
                "ports": [{"name": "http", "port": TARGET_PORT, "protocol": "TCP"}],
            }


def pods(plan: Plan) -> Iterator[Json]:
    """Yield the Pod objects."""
    settings = [
        {"name": f"SETTING_{number:02}", "value": "http://settings.example.com/v1"}
        for number in range(plan.settings)
    ]
    for service in plan.service_list:
        for pod in service.pods:
            yield _pod(service, pod, settings)


def _pod(service: PlannedService, pod: PlannedPod, settings: list[Json]) -> Json:
    image = "registry.example.com/shop/web:1.4.2"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(pod.name, service.namespace, {"app": service.name}),
        "spec": {
            "containers": [
                {
                    **({"env": settings} if settings else {}),
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "name": "web",
                    "ports": [{"containerPort": TARGET_PORT, "name": "http", "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }
            ],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "nodeName": pod.node.name,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30,
            "tolerations": [
                {
                    "effect": "NoExecute",
                    "key": f"node.kubernetes.io/{state}",
                    "operator": "Exists",
                    "tolerationSeconds": 300,
                }
                for state in ("not-ready", "unreachable")
            ],
        },
        "status": {
            "conditions": [
                _condition(kind)
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {
                    "containerID": f"containerd://{'0' * 64}",
                    "image": image,
                    "imageID": f"registry.example.com/shop/web@sha256:{'0' * 64}",
                    "lastState": {},
                    "name": "web",
                    "ready": True,
                    "restartCount": 0,
                    "started": True,
                    "state": {"running": {"startedAt": _READY}},
                }
            ],
            "hostIP": pod.node.ip,
            "phase": "Running",
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}],
            "qosClass": "Burstable",
            "startTime": _MADE,
        },
    }


def kube_proxy(node: PlannedNode) -> Json:
    """Return the pod of kube-proxy on a node."""
    image = f"registry.k8s.io/kube-proxy:{VERSION}"
    config = "--config=/var/lib/kube-proxy/config.conf"
    running = {"running": {"startedAt": _READY}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(f"kube-proxy-{node.name}", "kube-system", {"k8s-app": "kube-proxy"}),
        "spec": {
            "containers": [
                {
                    "command": ["/usr/local/bin/kube-proxy", config],
                    "image": image,
                    "name": "kube-proxy",
                }
            ],
            "hostNetwork": True,
            "nodeName": node.name,
        },
        "status": {
            "conditions": [_condition("Ready")],
            "containerStatuses": [
                {"image": image, "name": "kube-proxy", "ready": True, "state": running}
            ],
            "hostIP": node.ip,
            "phase": "Running",
            "podIP": node.ip,
            "podIPs": [{"ip": node.ip}],
        },
    }


def _metadata(name: str, namespace: str, labels: dict[str, str]) -> Json:
    placed = {"namespace": namespace} if namespace else {}
    return {"creationTimestamp": _MADE, "labels": labels, "name": name, **placed}


def _condition(kind: str, reason: str = "") -> Json:
    told = {"reason": reason} if reason else {}
    return {"lastTransitionTime": _READY, "status": "True", "type": kind, **told}


def _reference(service: PlannedService, pod: PlannedPod) -> Json:
    return {"kind": "Pod", "name": pod.name, "namespace": service.namespace}
