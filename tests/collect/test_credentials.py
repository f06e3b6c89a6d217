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
    "list": ('"tokens": ["abc1", 5]', '"tokens": ["<removed 4 bytes>", 5]'),
    "words of a list in text": ('args=["--token","abc"]', 'args=["--token","<removed 3 bytes>"]'),
    "sentence": (
        "login with password hunter2 failed",
        "login with password <removed 7 bytes> failed",
    ),
    "sentence that quotes": ("the password is 'a b12'", "the password is '<removed 5 bytes>'"),
    "value with separators": ("password=ab,c&d)e --v=2", "password=<removed 8 bytes> --v=2"),
    "short for password": ("LDAP_BIND_PW=hunter2", "LDAP_BIND_PW=<removed 7 bytes>"),
    "pre-shared key": ("psk=hunter2", "psk=<removed 7 bytes>"),
    "data source of Go": ("root:hunter2@tcp(db:3306)/x", "root:<removed 7 bytes>@tcp(db:3306)/x"),
    "proxy without a scheme": (
        "via me:hunter2@proxy.test:3128",
        "via me:<removed 7 bytes>@proxy.test:3128",
    ),
    "password with signs of an address": (
        "ftp://me:a@b@h/x http://me:a/b@h/x",
        "ftp://<removed 6 bytes>@h/x http://<removed 6 bytes>@h/x",
    ),
    "signed address": (
        "https://b.test/x?sig=abcdef%3D&se=9",
        "https://b.test/x?sig=<removed 9 bytes>&se=9",
    ),
    "registry": (
        '{"r.test":{"auth":"YWRtaW46aHVudGVyMg=="}}',
        '{"r.test":{"auth":"<removed 20 bytes>"}}',
    ),
    "basic authentication": ("--basic-auth=me:hunter2", "--basic-auth=<removed 10 bytes>"),
    "literal of a Secret": ("--from-literal=a=hunter2", "--from-literal=a=<removed 7 bytes>"),
    "SQL": ("IDENTIFIED BY 'a b'", "IDENTIFIED BY '<removed 3 bytes>'"),
    "encoded query": ("to=%2Fx%26token%3Dabc1 next", "to=%2Fx%26token%3D<removed 4 bytes> next"),
    "creds": ("creds=me1", "creds=<removed 3 bytes>"),
    "XML": ("<password>hunter2</password>", "<password><removed 7 bytes></password>"),
    "client of MySQL": (
        "mysqladmin -uroot -phunter2 ping",
        "mysqladmin -uroot -p<removed 7 bytes> ping",
    ),
    "client of Redis": (
        "redis-cli -h db -a hunter2 ping",
        "redis-cli -h db -a <removed 7 bytes> ping",
    ),
    "hash of a password": ("root:$6$ab$cdefghijklmnopqr:19000", "root:<removed 22 bytes>:19000"),
    "server token of k3s": (f"K10{'0f' * 9}::server:pw", "<removed 21 bytes>::<removed 9 bytes>"),
    "PEM in base64": ("a LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ== b", "a <removed 32 bytes> b"),
    "release of Helm": ("H4sIAAAAAAAAAAAAAAAAA", "<removed 21 bytes>"),
    "random word": ("hooks.test/T0/B0/hZ8kq2Wm5LxR7vTn1c", "hooks.test/T0/B0/<removed 18 bytes>"),
    "random word with its mark": ("use npm_hZ8kq2Wm5LxR7vTn1c now", "use <removed 22 bytes> now"),
    "rest of a token on the next line": ("zI1NiIsImtpZCI6IjNxIn0 done", "<removed 22 bytes> done"),
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
        "--token=$(TOKEN) --password=$PASSWORD --secret=${SECRET}",
        "rules that bypass KUBE-SVC-ODX2UBAZM7RQWOIU pass eth0_1 and NodePort 30080",
        "wrong password for User, no token given, secret kube-proxy-token-x2k4p",
        'secret "kube-system/coredns-token-ab12c" not found',
        "https://10.0.0.1:6443/apis/a@b",
        "KUBE-SVC-ODX2UBAZM7RQWOIU service-IJTWSMUZ-shop/cart/tcp/",
        'featureGates="KubeletFineGrainedAuthz=true,IPv6DualStack=true,ServiceNodePortStaticSubrange=true"',
        "TestKubeProxyNFTablesV1Alpha1Configuration2",
        "1efa8916876900112233445566778899aabbccdd cri-o://0123456789abcdef0123456789ABCDEF",
        "sha256:1efa8916876900112233445566778899aabbccddeeff00112233445566778899",
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


@pytest.mark.parametrize(
    ("words", "clean"),
    [
        (["mysqladmin", "ping", "-phunter2"], ["mysqladmin", "ping", "-p<removed 7 bytes>"]),
        (["sshpass", "-p", "hunter2", "ssh"], ["sshpass", "-p", "<removed 7 bytes>", "ssh"]),
        (["/bin/redis-cli", "-a", "hunter2"], ["/bin/redis-cli", "-a", "<removed 7 bytes>"]),
        (["nc", "-p", "8080"], ["nc", "-p", "8080"]),
        (["mysqld", "--port=3306", "-port"], ["mysqld", "--port=3306", "-port"]),
    ],
)
def test_clients_whose_short_flag_is_a_password_are_known(
    words: list[str], clean: list[str]
) -> None:
    assert arguments_without_credentials(words) == clean


def test_a_key_without_end_does_not_take_the_rest_of_the_log() -> None:
    clean = line_cleaner()
    clean("-----BEGIN X KEY-----\n")
    assert clean("abc\n") == "<removed 3 bytes>\n"
    entry = "I1123 02:51:20.000001       1 proxier.go:1] sync\n"
    assert clean(entry) == entry
    assert clean("abc\n") == "abc\n"
    clean("-----BEGIN X KEY-----\n")
    lines = [clean("2026-11-23T02:51:20Z stderr F x\n") for _ in range(200)]
    assert "x" in lines[-1]


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
            "aB1",
            "mysql ",
            "a:b@c.d",
            "password,",
            "://a:b/",
        )
    ],
)
def test_hostile_text_takes_no_more_than_its_length(piece: str) -> None:
    began = time.monotonic()
    without_credentials(piece * (300_000 // len(piece)) + "token")
    assert time.monotonic() - began < 10
