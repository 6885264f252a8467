"""test_tls.py - TLS at both ends, with a chain of certificates, and with each kind of bad one: then it
is said what is wrong, and nothing is sent."""
import contextlib
import os
import shutil
import socket
import ssl
import threading

import pytest

from certs import BAD, Authority
from events import logins
from rds import Rds
from wait import eventually


class Front:
    """TLS in front of a server; `heard` is what came through it."""

    def __init__(self, port, certificate):
        self.heard = b""
        self.backend = port
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError):
            client = self.tls.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.backend))
            threading.Thread(target=pump, args=(server, client, lambda data: None),
                             daemon=True).start()
            pump(client, server, self.hear)

    def hear(self, data):
        self.heard += data

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def pump(a, b, look):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            look(data)
            b.sendall(data)
    for s in (a, b):
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)


class Tunnel(Front):
    """A proxy that is asked to CONNECT."""

    def __init__(self):
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.asked.append(head.split()[1].decode())
        server = socket.create_connection(("127.0.0.1", int(self.asked[-1].rpartition(":")[2])))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=pump, args=(server, client, lambda data: None), daemon=True).start()
        pump(client, server, lambda data: None)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def certificate_of(authority, tmp_path, kind):
    """None is of an authority that nobody knows."""
    if kind is None:
        return Authority(tmp_path, "another root").issue("stranger")
    return authority.issue("bad", **BAD[kind])


KINDS = [*BAD, None]


# ---- the queue ----------------------------------------------------------------------------------

@pytest.fixture
def front_of(sluice, moto, authority):
    def make(certificate):
        make.fronts.append(Front(moto.port, certificate))
        sluice.env["AWS_ENDPOINT_URL"] = make.fronts[-1].url
        sluice.env["AWS_CA_BUNDLE"] = authority.bundle
        return make.fronts[-1]

    make.fronts = []
    yield make
    for front in make.fronts:
        front.stop()


def test_a_queue_with_a_chain_of_ones_own_authority_is_read(sluice, queue, front_of, authority):
    front = front_of(authority.issue("queue"))
    queue.send(logins(3))
    assert sluice.drain().loaded == 3
    assert b"AmazonSQS.DeleteMessageBatch" in front.heard


@pytest.mark.parametrize("kind", KINDS)
def test_a_queue_with_a_bad_certificate_is_told_nothing(sluice, front_of, authority, tmp_path,
                                                        kind):
    front = front_of(certificate_of(authority, tmp_path, kind))
    result = sluice.run("--until-empty", "--wait", "0")
    assert result.rc == 75 and front.heard == b"", result
    assert "curl 60" in result.err and "certificate" in result.err, result


def test_a_proxy_of_the_environment_is_used_and_passed_by(sluice, queue, db, front_of, authority):
    front_of(authority.issue("queue"))
    tunnel = Tunnel()
    sluice.env["HTTPS_PROXY"] = tunnel.url
    queue.send(logins(1))
    assert sluice.drain().loaded == 1
    asked = len(tunnel.asked)
    assert asked > 0 and tunnel.asked[0].startswith("localhost:")
    sluice.env["NO_PROXY"] = "localhost"
    queue.send(logins(1, first=5))
    assert sluice.drain().loaded == 1
    assert len(tunnel.asked) == asked
    tunnel.stop()


# ---- the database -------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_a_database_with_a_bad_certificate_is_told_nothing(sluice, moto, db, authority, tmp_path,
                                                           kind):
    server = Rds(db.cluster, certificate_of(authority, tmp_path, kind), moto.key_id, moto.secret)
    sluice.postgres["auth"] = "iam"
    sluice.postgres["url"] = (f"postgresql://postgres@localhost:{server.port}/{db.name}"
                              f"?sslmode=verify-full&sslrootcert={authority.bundle}")
    result = sluice.run("--until-empty", "--wait", "0")
    server.stop()
    assert result.rc == 75 and server.tokens == [], result
    assert "the server's certificate is of " in result.err, result
    assert ("of another host" in result.err) == (kind == "of another host"), result


@pytest.fixture
def certified(db, authority):
    """The cluster, speaking TLS, with a role that comes in by a certificate of the authority."""
    c = db.cluster
    chain, key = authority.issue("server")
    for source, name in ((chain, "tls.crt"), (key, "tls.key"), (authority.bundle, "tls-ca.crt")):
        shutil.copy(source, f"{c.data}/{name}")
        os.chmod(f"{c.data}/{name}", 0o600)
        if os.getuid() == 0:
            shutil.chown(f"{c.data}/{name}", "postgres")
    with open(f"{c.data}/pg_hba.conf", encoding="utf-8") as f:
        hba = f.read()
    role = "certified_" + db.name
    c.write("pg_hba.conf", f"hostssl all {role} 127.0.0.1/32 cert\n" + hba)
    settings = {"ssl_cert_file": "tls.crt", "ssl_key_file": "tls.key", "ssl_ca_file": "tls-ca.crt",
                "ssl": "on"}
    for name, value in settings.items():
        db.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    db.execute(f"CREATE ROLE {role} LOGIN SUPERUSER; SELECT pg_reload_conf()")
    eventually(lambda: db.one("SHOW ssl") == "on")
    yield role
    for name in settings:
        db.execute(f"ALTER SYSTEM RESET {name}")
    c.write("pg_hba.conf", hba)
    db.execute(f"SELECT pg_reload_conf(); DROP OWNED BY {role}; DROP ROLE {role}")
    eventually(lambda: db.one("SHOW ssl") == "off")


def test_a_database_may_be_entered_by_a_certificate(sluice, queue, db, certified, authority,
                                                    tmp_path):
    place = (f"postgresql://{certified}@localhost:{db.cluster.port}/{db.name}"
             f"?sslmode=verify-full&sslrootcert={authority.bundle}&connect_timeout=5")
    chain, key = authority.issue(certified)
    sluice.postgres["url"] = f"{place}&sslcert={chain}&sslkey={key}"
    queue.send(logins(2))
    assert sluice.drain().loaded == 2

    def refused(certificate, *words):
        sluice.postgres["url"] = place + ("&sslcert={}&sslkey={}".format(*certificate)
                                          if certificate else "&sslcert=/none")
        result = sluice.run("--until-empty", "--wait", "0")
        assert result.rc in (75, 78), result
        assert any(w in result.err for w in words), result

    refused(None, "requires a valid client certificate")
    refused(authority.issue("somebody-else"), "certificate authentication failed")
    refused(authority.issue(certified, days=(-30, -1)), "it may not accept our certificate")
    refused(Authority(tmp_path, "another root").issue(certified),
            "it may not accept our certificate")
    chain, key = authority.issue(certified)
    os.chmod(key, 0o644)
    refused((chain, key), "others may read it")
