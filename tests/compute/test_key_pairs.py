"""Key pairs: what is imported is a public key and nothing else, and a private key is seen once."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType

from platforma.clouds.openstack.resources import CloudKind
from platforma.compute.public_keys import parse_public_key
from tests.api_client import Member

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey


def line(key: Private, comment: str = "") -> str:
    """Return the public half as a line of authorized_keys."""
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{public.decode()} {comment}".strip()


ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA_2048 = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GOOD = {
    "ed25519": line(ED25519, "me@laptop"),
    "rsa": line(RSA_2048),
    "ecdsa": line(ec.generate_private_key(ec.SECP384R1()), "a comment with spaces"),
}


def certificate() -> str:
    """Return a certificate of a good key."""
    signed: bytes = (
        SSHCertificateBuilder()
        .public_key(ED25519.public_key())
        .serial(1)
        .type(SSHCertificateType.USER)
        .valid_principals([b"root"])
        .valid_before(2**32)
        .valid_after(0)
        .key_id(b"x")
        .sign(ED25519)
        .public_bytes()
    )
    return signed.decode()


PEM = ED25519.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
).decode()
TRAILING = base64.b64encode(base64.b64decode(GOOD["ed25519"].split()[1]) + b"more").decode()

BAD = {
    "empty": "",
    "junk": "hello",
    "certificate": certificate(),
    "short RSA": line(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    "DSA": "ssh-dss AAAAB3NzaC1kc3MAAACBAA==",
    "options": f'command="rm -rf /" {GOOD["ed25519"]}',
    "two lines": f"{GOOD['ed25519']}\n{GOOD['rsa']}",
    "cut off": GOOD["ed25519"].split()[0] + " " + GOOD["ed25519"].split()[1][:-8],
    "another kind": "ssh-rsa " + GOOD["ed25519"].split()[1],
    "trailing bytes": f"ssh-ed25519 {TRAILING}",
    "not base64": "ssh-ed25519 ****",
    "NUL": f"{GOOD['ed25519']}\x00",
    "unicode digits": "ssh-ed25519 ＡＡＡＡ",
    "long comment": f"{GOOD['rsa']} {'x' * 300}",
    "huge": "ssh-rsa " + "A" * 20_000,
}


@pytest.mark.parametrize("kind", GOOD)
async def test_import(a: Member, kind: str) -> None:
    made = await a.make("/key-pairs", name=kind, public_key=f"  {GOOD[kind]}\n")
    assert made["public_key"] == GOOD[kind]
    assert made["status"] == "active"
    assert a.cloud_object(CloudKind.KEY_PAIR, made["id"]).attributes["public_key"] == GOOD[kind]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
@pytest.mark.parametrize("kind", GOOD)
def test_the_fingerprint_is_what_ssh_keygen_prints(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(GOOD[kind])
    printed = subprocess.run(["ssh-keygen", "-l", "-f", str(file)], capture_output=True, text=True, check=True)
    assert printed.stdout.split()[1] == parse_public_key(GOOD[kind]).fingerprint


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_public_key(a: Member, name: str) -> None:
    problem = await a.problem("POST", "/key-pairs", {"name": "x", "public_key": BAD[name]})
    assert problem["status"] == 422
    assert BAD[name][:20] == "" or BAD[name] not in str(problem)
    assert (await a.get("/key-pairs"))["items"] == []


async def test_a_private_key_is_refused_with_a_warning_and_not_repeated(a: Member) -> None:
    problem = await a.problem("POST", "/key-pairs", {"name": "x", "public_key": PEM})
    assert problem["status"] == 422
    assert "PRIVATE key" in problem["errors"][0]["detail"]
    assert PEM.splitlines()[1] not in str(problem)


async def test_a_pair_is_made_here_and_its_private_half_seen_once(a: Member) -> None:
    response = await a.ask("POST", "/key-pairs", {"name": "made here"})
    assert response.status_code == 202
    assert response.headers["cache-control"] == "no-store"
    made = response.json()
    private = serialization.load_ssh_private_key(made["private_key"].encode(), None)
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    assert parse_public_key(line(private)).fingerprint == made["resource"]["fingerprint"]
    secret = made["private_key"].splitlines()[3]
    for path in (
        "/key-pairs",
        f"/key-pairs/{made['resource']['id']}",
        "/operations",
        f"/operations/{made['operation']['id']}",
    ):
        assert secret not in (await a.ask("GET", path)).text
    assert await a.settle() == []
    for table in ("key_pairs", "operations", "audit_events"):
        rows = await a.stage.rows(f"SELECT t::text AS text FROM {table} t WHERE tenant_id = %s", a.tenant_id)
        assert not any(secret in row["text"] for row in rows)


async def test_servers_keep_the_key_that_they_were_made_with(a: Member) -> None:
    key = await a.make("/key-pairs", name="mine", public_key=GOOD["ed25519"])
    network = await a.make_network()
    server = await a.wish("POST", "/servers", a.server_body(network["id"], key_pair_id=key["id"]))
    assert server["key_pair"] == {"id": key["id"], "name": "mine"}

    problem = await a.problem("DELETE", f"/key-pairs/{key['id']}")
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:in-use")
    assert "web-1" in problem["detail"]

    assert await a.settle() == []
    name = a.cloud_object(CloudKind.KEY_PAIR, key["id"]).name
    assert a.cloud_object(CloudKind.SERVER, server["id"]).attributes["key_pair"] == name
    await a.wish("DELETE", f"/key-pairs/{key['id']}")
    assert await a.settle() == []
    assert (await a.problem("GET", f"/key-pairs/{key['id']}"))["status"] == 404
    assert (await a.get(f"/servers/{server['id']}"))["key_pair"] is None
    assert a.in_cloud(CloudKind.KEY_PAIR) == []


async def test_quota(a: Member) -> None:
    await a.stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = 0 WHERE tenant_id = %s AND resource = 'key_pairs'", (a.tenant_id,)
    )
    assert (await a.problem("POST", "/key-pairs", {"name": "x"}))["resource"] == "key_pairs"
