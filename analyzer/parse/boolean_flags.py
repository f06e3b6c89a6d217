"""Options of kube-proxy, kubelet and k3s that never take the next word as their value."""

from __future__ import annotations

_KUBERNETES = frozenset(
    {"add-dir-header", "allow-dynamic-housekeeping", "allow-privileged", "alsologtostderr"}
    | {"anonymous-auth", "authentication-token-webhook", "bind-address-hard-fail"}
    | {"cgroups-per-qos", "cleanup", "cleanup-iptables", "cleanup-ipvs"}
    | {"conntrack-tcp-be-liberal", "contention-profiling", "cpu-cfs-quota"}
    | {"disable-root-cgroup-stats", "docker-only", "docker-tls"}
    | {"enable-cadvisor-json-endpoints", "enable-controller-attach-detach"}
    | {"enable-debugging-handlers", "enable-dsr", "enable-load-reader", "enable-server"}
    | {"exit-on-lock-contention", "experimental-allocatable-ignore-eviction"}
    | {"experimental-check-node-capabilities-before-mount"}
    | {"experimental-kernel-memcg-notification", "experimental-logging-sanitization"}
    | {"fail-swap-on", "forward-healthcheck-vip", "h", "help", "init-only"}
    | {"iptables-localhost-nodeports", "ipvs-strict-arp", "keep-terminated-pod-volumes"}
    | {"kernel-memcg-notification", "log-cadvisor-usage", "log-json-split-stream"}
    | {"log-text-split-stream", "logtostderr", "make-iptables-util-chains", "masquerade-all"}
    | {"one-output", "profiling", "protect-kernel-defaults", "really-crash-for-testing"}
    | {"redirect-container-streaming", "register-node", "register-schedulable"}
    | {"rotate-certificates", "rotate-server-certificates", "runonce", "seccomp-default"}
    | {"serialize-image-pulls", "skip-headers", "skip-log-headers", "storage-driver-secure"}
    | {"version", "windows-service"}
)
"""What the `FLAG:` lines of kube-proxy 1.14 to 1.36 and of kubelets show as true or false, and a few switches more."""

_K3S = frozenset(
    {"cluster-init", "debug", "disable-agent", "disable-apiserver"}
    | {"disable-cloud-controller", "disable-controller-manager", "disable-etcd"}
    | {"disable-helm-controller", "disable-kube-proxy", "disable-network-policy"}
    | {"disable-scheduler", "embedded-registry", "flannel-external-ip", "flannel-ipv6-masq"}
    | {"prefer-bundled-bin", "rootless", "secrets-encryption", "selinux"}
)
"""Switches of `k3s server` and `k3s agent` (https://docs.k3s.io/cli/server)."""

BOOLEAN_FLAGS = _KUBERNETES | _K3S
"""Names without dashes."""
