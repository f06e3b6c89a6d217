"""The API objects of a composed cluster, as kubectl prints them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.clusters import (
    COLLECTED,
    CREATED,
    READY,
    WORKLOADS,
    Cluster,
    Endpoint,
    Files,
    Json,
    Pod,
    Service,
    listed,
    meta,
    uid,
)

COREFILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
}
"""


def objects(cluster: Cluster, proxy_config: str) -> Files:
    """Return `cluster/*.json`."""
    plan = cluster.plan
    git = {"gitVersion": "v1.36.2" if plan.modern_api else f"v{plan.version}"}
    kinds: dict[str, list[Json]] = {
        "nodes": [_node(cluster, n) for n in plan.nodes],
        "services": [_service(cluster, s) for s in cluster.services],
        "endpoints": [_endpoints(cluster, s) for s in cluster.services if s.ports],
        "pods": [_pod(cluster, p) for p in cluster.pods],
        "namespaces": [_namespace(n) for n in ("default", "kube-system", "store")],
        "deployments": [_deployment(*w) for w in WORKLOADS],
        "replicasets": [_replica_set(*w) for w in WORKLOADS],
        "daemonsets": [_daemon_set(cluster)],
        "configmaps": list(_config_maps(cluster, proxy_config)),
        "networkpolicies": [],
        "ingresses": [],
        "events": [],
    }
    if plan.modern_api:
        slices = [s for svc in cluster.services if svc.ports for s in _slices(cluster, svc)]
        kinds["endpointslices"] = slices
    files = {f"cluster/{kind}.json": listed(items) for kind, items in kinds.items()}
    files["cluster/version.json"] = json.dumps(
        {"major": "1", "minor": git["gitVersion"].split(".")[1], **git}
    )
    return files


def _object(version: str, kind: str, metadata: Json, **more: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _namespace(name: str) -> Json:
    return _object("v1", "Namespace", meta("Namespace", "", name), status={"phase": "Active"})


def _node(cluster: Cluster, node: str) -> Json:
    plan = cluster.plan
    cidrs = [plan.pod_cidr(node, f) for f in plan.families]
    labels = {"kubernetes.io/hostname": node, "kubernetes.io/os": "linux"}
    taints: Json = {}
    if node.startswith("cp"):
        role = "control-plane" if plan.minor >= 20 else "master"
        labels[f"node-role.kubernetes.io/{role}"] = ""
        taints = {"taints": [{"effect": "NoSchedule", "key": f"node-role.kubernetes.io/{role}"}]}
    addresses = [{"address": plan.node_ip(node, f), "type": "InternalIP"} for f in plan.families]
    many = {"podCIDRs": cidrs} if plan.minor >= 16 else {}
    conditions = [
        _condition("MemoryPressure", "False"),
        _condition("DiskPressure", "False"),
        _condition("Ready", "True"),
    ]
    return _object(
        "v1",
        "Node",
        meta("Node", "", node, labels=labels),
        spec={"podCIDR": cidrs[0], **many, **taints},
        status={
            "addresses": [*addresses, {"address": node, "type": "Hostname"}],
            "conditions": conditions,
            "nodeInfo": {
                "architecture": "amd64",
                "containerRuntimeVersion": "containerd://1.6.9",
                "kernelVersion": "6.1.0-28-amd64",
                "kubeProxyVersion": f"v{plan.version}",
                "kubeletVersion": f"v{plan.version}",
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
            },
        },
    )


def _condition(name: str, status: str) -> Json:
    times = {"lastHeartbeatTime": COLLECTED, "lastTransitionTime": READY}
    return {**times, "status": status, "type": name}


def _service(cluster: Cluster, service: Service) -> Json:
    spec: Json = {"type": service.type, "sessionAffinity": "None"}
    if service.affinity:
        spec["sessionAffinity"] = "ClientIP"
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    if service.app:
        spec["selector"] = {"app": service.app}
    if service.external_name:
        spec["externalName"] = service.external_name
    else:
        spec |= {**_addresses(cluster, service), **_from_outside(service)}
        spec["ports"] = [_service_port(p) for p in service.ports]
    balancer = {"ingress": [{"ip": service.load_balancer}]} if service.load_balancer else {}
    status = {"loadBalancer": balancer}
    return _object("v1", "Service", _named("Service", service), spec=spec, status=status)


def _addresses(cluster: Cluster, service: Service) -> Json:
    families = cluster.families(service)
    ips = [cluster.plan.service_ip(service.place, f) for f in families]
    if not service.proxied:
        ips = ["None"]
    if not cluster.plan.modern_api:
        return {"clusterIP": ips[0]}
    return {
        "clusterIP": ips[0],
        "clusterIPs": ips,
        "ipFamilies": [f"IPv{f}" for f in families],
        "ipFamilyPolicy": "PreferDualStack" if len(families) > 1 else "SingleStack",
        "internalTrafficPolicy": "Local" if service.internal_local else "Cluster",
    }


def _from_outside(service: Service) -> Json:
    policy = "Local" if service.external_local else "Cluster"
    found = {
        "externalTrafficPolicy": policy if service.type != "ClusterIP" else "",
        "externalIPs": list(service.external_ips),
        "loadBalancerSourceRanges": list(service.ranges),
        "healthCheckNodePort": service.health_port,
    }
    return {name: value for name, value in found.items() if value}


def _named(kind: str, service: Service, **more: Any) -> Json:
    return meta(kind, service.namespace, service.name, **more)


def _service_port(port: Any) -> Json:
    name = {"name": port.name} if port.name else {}
    node_port = {"nodePort": port.node_port} if port.node_port else {}
    target = {"targetPort": port.by_name or port.target}
    return {**name, **node_port, "port": port.port, "protocol": port.protocol, **target}


def _target(pod: Pod | None) -> Json:
    if pod is None:
        return {}
    target = {"kind": "Pod", "name": pod.name, "namespace": pod.namespace}
    ref = {**target, "uid": uid("Pod", pod.namespace, pod.name)}
    return {"nodeName": pod.node, "targetRef": ref}


def _endpoints(cluster: Cluster, service: Service) -> Json:
    family = cluster.plan.families[0]
    found = cluster.endpoints(service, service.ports[0], family)
    addresses = [{"ip": e.address, **_target(e.pod)} for e in found]
    ports = [_endpoint_port(p) for p in service.ports]
    name = _named("Endpoints", service)
    return _object("v1", "Endpoints", name, subsets=[{"addresses": addresses, "ports": ports}])


def _endpoint_port(port: Any) -> Json:
    name = {"name": port.name} if port.name else {}
    return {**name, "port": port.target, "protocol": port.protocol}


def _slices(cluster: Cluster, service: Service) -> Iterator[Json]:
    for family in cluster.families(service):
        found = cluster.endpoints(service, service.ports[0], family)
        labels = {"kubernetes.io/service-name": service.name}
        if service.addresses and service.name != "kubernetes":
            labels["endpointslice.kubernetes.io/managed-by"] = (
                "endpointslicemirroring-controller.k8s.io"
            )
        elif not service.addresses:
            labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
        yield _object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            meta("EndpointSlice", service.namespace, f"{service.name}-{family}xk2d", labels=labels),
            addressType=f"IPv{family}",
            endpoints=[_slice_endpoint(e) for e in found],
            ports=[
                {"name": p.name, "port": p.target, "protocol": p.protocol} for p in service.ports
            ],
        )


def _slice_endpoint(endpoint: Endpoint) -> Json:
    conditions = {"ready": True}
    if endpoint.pod is not None:
        conditions = {"ready": True, "serving": True, "terminating": False}
    return {"addresses": [endpoint.address], "conditions": conditions, **_target(endpoint.pod)}


def _pod(cluster: Cluster, pod: Pod) -> Json:
    plan = cluster.plan
    host = not pod.place
    ips = [
        plan.node_ip(pod.node, f) if host else plan.pod_ip(pod.node, pod.place, f)
        for f in plan.families
    ]
    many = {"podIPs": [{"ip": ip} for ip in ips]} if plan.minor >= 16 else {}
    kind, owner = ("DaemonSet", "kube-proxy") if host else ("ReplicaSet", f"{pod.app}-6d4cf56db6")
    labels = {"k8s-app": "kube-proxy"} if host else _labels(pod.app)
    reference = {
        "apiVersion": "apps/v1",
        "controller": True,
        "kind": kind,
        "name": owner,
        "uid": uid(kind, pod.namespace, owner),
    }
    spec = {
        "containers": [_container(cluster, pod)],
        "dnsPolicy": "Default" if pod.app == "coredns" else "ClusterFirst",
        "nodeName": pod.node,
        "restartPolicy": "Always",
        **({"hostNetwork": True, "tolerations": [{"operator": "Exists"}]} if host else {}),
    }
    status = {
        "conditions": [
            {"lastTransitionTime": READY, "status": "True", "type": name}
            for name in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "containerStatuses": [
            {
                "name": pod.app,
                "ready": True,
                "restartCount": 0,
                "image": _image(cluster, pod.app),
                "lastState": {},
                "state": {"running": {"startedAt": READY}},
            }
        ],
        "hostIP": plan.node_ip(pod.node, plan.families[0]),
        "phase": "Running",
        "podIP": ips[0],
        **many,
        "startTime": CREATED,
    }
    name = meta("Pod", pod.namespace, pod.name, labels=labels, ownerReferences=[reference])
    return _object("v1", "Pod", name, spec=spec, status=status)


def _labels(app: str) -> Json:
    dns = {"k8s-app": "kube-dns"} if app == "coredns" else {}
    return {"app": app, **dns, "pod-template-hash": "6d4cf56db6"}


def _image(cluster: Cluster, app: str) -> str:
    if app == "kube-proxy":
        return f"registry.k8s.io/kube-proxy:v{cluster.plan.version}"
    return f"registry.example.com/{app}:1.4.2"


def _container(cluster: Cluster, pod: Pod) -> Json:
    ports = [{"containerPort": n, "name": name, "protocol": p} for name, n, p in pod.ports]
    more: Json = {"ports": ports} if ports else {}
    if pod.app == "kube-proxy":
        config = "--config=/var/lib/kube-proxy/config.conf"
        more = {
            "command": ["/usr/local/bin/kube-proxy", config, "--hostname-override=$(NODE_NAME)"]
        }
    return {"image": _image(cluster, pod.app), "name": pod.app, **more}


def _template(app: str, ports: tuple[tuple[str, int, str], ...]) -> Json:
    declared = [{"containerPort": n, "name": name, "protocol": p} for name, n, p in ports]
    container = {"name": app, "image": f"registry.example.com/{app}:1.4.2", "ports": declared}
    return {"metadata": {"labels": _labels(app)}, "spec": {"containers": [container]}}


def _deployment(key: str, replicas: int, ports: tuple[tuple[str, int, str], ...]) -> Json:
    namespace, app = key.split("/")
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": app}},
        "template": _template(app, ports),
    }
    status = {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
    name = meta("Deployment", namespace, app)
    return _object("apps/v1", "Deployment", name, spec=spec, status=status)


def _replica_set(key: str, replicas: int, ports: tuple[tuple[str, int, str], ...]) -> Json:
    namespace, app = key.split("/")
    owner = {"apiVersion": "apps/v1", "controller": True, "kind": "Deployment", "name": app}
    reference = {**owner, "uid": uid("Deployment", namespace, app)}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": app}},
        "template": _template(app, ports),
    }
    name = meta("ReplicaSet", namespace, f"{app}-6d4cf56db6", ownerReferences=[reference])
    return _object(
        "apps/v1",
        "ReplicaSet",
        name,
        spec=spec,
        status={"replicas": replicas, "readyReplicas": replicas},
    )


def _daemon_set(cluster: Cluster) -> Json:
    count = len(cluster.plan.nodes)
    pod = Pod("", "kube-system", "kube-proxy", "", 0)
    template = {
        "metadata": {"labels": {"k8s-app": "kube-proxy"}},
        "spec": {
            "containers": [_container(cluster, pod)],
            "hostNetwork": True,
            "tolerations": [{"operator": "Exists"}],
        },
    }
    return _object(
        "apps/v1",
        "DaemonSet",
        meta("DaemonSet", "kube-system", "kube-proxy"),
        spec={"selector": {"matchLabels": {"k8s-app": "kube-proxy"}}, "template": template},
        status={
            "currentNumberScheduled": count,
            "desiredNumberScheduled": count,
            "numberAvailable": count,
            "numberMisscheduled": 0,
            "numberReady": count,
        },
    )


def _config_maps(cluster: Cluster, proxy_config: str) -> Iterator[Json]:
    plan = cluster.plan
    subnets = ",".join(plan.pods(f) for f in plan.families)
    ranges = ",".join(plan.service_range if f == 4 else plan.service_range6 for f in plan.families)
    dns = plan.service_ip(10, plan.families[0])
    kubeadm = f"networking:\n  dnsDomain: cluster.local\n  podSubnet: {subnets}\n  serviceSubnet: {ranges}\n"
    kubelet = f"clusterDNS:\n- {dns}\nclusterDomain: cluster.local\nkind: KubeletConfiguration\n"
    for name, content in (
        ("coredns", {"Corefile": COREFILE}),
        ("kube-proxy", {"config.conf": proxy_config}),
        (
            "kubeadm-config",
            {
                "ClusterConfiguration": f"kind: ClusterConfiguration\nkubernetesVersion: v{plan.version}\n{kubeadm}"
            },
        ),
        ("kubelet-config", {"kubelet": f"apiVersion: kubelet.config.k8s.io/v1beta1\n{kubelet}"}),
    ):
        yield _object("v1", "ConfigMap", meta("ConfigMap", "kube-system", name), data=content)
