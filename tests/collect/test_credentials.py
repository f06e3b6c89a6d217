"""What looks like a credential goes, and what the analysis reads stays."""

from __future__ import annotations

import time

import pytest

from analyzer.collect.credentials import (
    arguments_without_credentials,
    line_cleaner,
    names_credential,
    without_credentials,
)

GOES = {
    "assignment": ("password=hunter2", "password=<removed 7 bytes>"),
    "YAML": ("DB_PASSWORD: hunter2", "DB_PASSWORD: <removed 7 bytes>"),
    "JSON": ('{"clientSecret":"a b"}', '{"clientSecret":"<removed 3 bytes>"}'),
    "JSON in JSON": (r"{\"token\":\"abc\"}", r"{\"token\":\"<removed 3 bytes>\"}"),
    "flag": ("--token=abc123 --v=2", "--token=<removed 6 bytes> --v=2"),
    "flag and word": ("--token abc123 --v=2", "--token <removed 6 bytes> --v=2"),
    "flag of klog": (
        'FLAG: --storage-driver-password="root"',
        'FLAG: --storage-driver-password="<removed 4 bytes>"',
    ),
    "number": ('"password": 123456}', '"password": <removed 6 bytes>}'),
    "bearer": ("Authorization: Bearer abc.def", "Authorization: Bearer <removed 7 bytes>"),
    "cookie": ("Set-Cookie: sid=abc; path=/", "Set-Cookie: <removed 15 bytes>"),
    "address": ("postgres://u:p@db:5432/x", "postgres://<removed 3 bytes>@db:5432/x"),
    "curl": ("curl -u admin:pw http://x", "curl -u <removed 8 bytes> http://x"),
    "JWT": ("eyJhbGciOiJSUzI1NiIs.eyJhbGciOiJSUzI1NiIs.ab-x", "<removed 46 bytes>"),
    "bootstrap token": ("join abcdef.0123456789vwxyz0", "join <removed 23 bytes>"),
    "AWS": ("id AKIAABCDEFGHIJKLMNOP", "id <removed 20 bytes>"),
    "Corefile": ("  aws_access_key AKIAX secretsecret\n", "  aws_access_key <removed 18 bytes>\n"),
    "key": (
        "-----BEGIN RSA PRIVATE KEY-----\nab\ncd\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----<removed 7 bytes>-----END RSA PRIVATE KEY-----",
    ),
    "kubeconfig": ("    client-key-data: AAAA\n", "    client-key-data: <removed 4 bytes>\n"),
    "block of YAML": (
        "  password: |\n    ab\n    cd\nx: y",
        "  password: |\n    <removed 14 bytes>\nx: y",
    ),
}


@pytest.mark.parametrize(("text", "clean"), GOES.values(), ids=GOES)
def test_a_credential_is_replaced_by_its_size(text: str, clean: str) -> None:
    assert without_credentials(text) == clean
    assert without_credentials(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        'servicePortName="shop/token:https-2" endpoints=["10.0.0.1:80"]',
        "shop/api-key:http cluster IP",
        "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "--service-account-key-file=/etc/kubernetes/pki/sa.pub --authorization-mode=Node,RBAC",
        '"authorization":{"mode":"Webhook"},"tokenTTL":"5m"',
        "automountServiceAccountToken: false",
        "secretName: db",
        'MountVolume.SetUp failed for volume "kube-proxy-token-x2": secret "db" not found',
        "dial tcp: lookup my-token:8080",
        "fetch failed: token: unauthorized",
        "statsd.18ea8c82e5f696b9",
        "registry.k8s.io/coredns/coredns@sha256:1efa89168769",
        'key="default/hostnames"',
        "--token=$(TOKEN) --password=",
    ],
)
def test_names_paths_and_switches_stay(text: str) -> None:
    assert without_credentials(text) == text


def test_flag_and_value_may_be_two_words() -> None:
    words = ["sh", "--db-password", "pw", "-u", "a:b", "--kubeconfig=/x", "--secret", "--v"]
    assert arguments_without_credentials(words) == [
        *("sh", "--db-password", "<removed 2 bytes>", "-u", "<removed 3 bytes>"),
        *("--kubeconfig=/x", "--secret", "--v"),
    ]


def test_a_key_goes_over_lines_of_a_log() -> None:
    clean = line_cleaner()
    lines = ["a\n", "-----BEGIN X KEY-----\n", "abc\n", "\n", "-----END X KEY-----\n", "b\n"]
    assert [clean(line) for line in lines] == [*lines[:2], "<removed 3 bytes>\n", *lines[3:]]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("DB_PASSWORD", True),
        ("example.com/join-token", True),
        ("client-key-data", True),
        ("apiKey", True),
        ("tokenFile", False),
        ("secretName", False),
        ("config.conf", False),
        ("key", False),
    ],
)
def test_names_say_what_their_values_are(name: str, is_one: bool) -> None:
    assert names_credential(name) is is_one


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "token",
            'password=\\"',
            "user://",
            "-----BEGIN x-----",
            "Bearer ",
            "eyJa.",
            "password: |\n",
        )
    ],
)
def test_hostile_text_takes_no_more_than_its_length(piece: str) -> None:
    began = time.monotonic()
    without_credentials(piece * (300_000 // len(piece)) + "token")
    assert time.monotonic() - began < 10
