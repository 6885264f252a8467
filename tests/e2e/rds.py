"""rds.py - a database that asks for a token of AWS over TLS, in front of the cluster."""
import hashlib
import hmac
import socket
import ssl
import struct
import threading
import urllib.parse


def token_fault(token, host, port, user, key_id, secret, region="us-east-1"):
    """What RDS would refuse of a token; Signature Version 4 of a query, from its description."""
    place, _, query = token.partition("/?")
    given = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
    signed, _, signature = query.rpartition("&X-Amz-Signature=")
    day = given["X-Amz-Date"][:8]
    scope = f"{day}/{region}/rds-db/aws4_request"
    if place != f"{host}:{port}" or given["DBUser"] != user or given["Action"] != "connect":
        return "another place or user"
    if given["X-Amz-Credential"] != f"{key_id}/{scope}" or given["X-Amz-Expires"] != "900":
        return "another key"
    canonical = "\n".join(["GET", "/", signed, "host:" + place, "", "host",
                           hashlib.sha256(b"").hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", given["X-Amz-Date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    mac = ("AWS4" + secret).encode()
    for part in (day, region, "rds-db", "aws4_request", text):
        mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
    return None if mac.hex() == signature else "another signature"


class Rds:
    """A database that asks for a token, over TLS, before it lets one through to the cluster."""

    def __init__(self, cluster, certificate, key_id, secret):
        self.cluster = cluster
        self.keys = key_id, secret
        self.tokens, self.faults = [], []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            assert self.packet(client)[4:8] == struct.pack(">I", 80877103), "no TLS asked for"
            client.sendall(b"S")
            client = self.tls.wrap_socket(client, server_side=True)
            start = self.packet(client)
            words = start[8:].split(b"\0")
            user = dict(zip(words[::2], words[1::2]))[b"user"].decode()
            client.sendall(b"R" + struct.pack(">II", 8, 3))  # a password, in the clear
            assert client.recv(1) == b"p"
            token = self.packet(client)[4:-1].decode()
            self.tokens.append(token)
            fault = token_fault(token, "localhost", self.port, user, *self.keys)
            self.faults += [fault] if fault else []
            if fault:
                text = b'SFATAL\0C28000\0MPAM authentication failed for user "x"\0\0'
                client.sendall(b"E" + struct.pack(">I", len(text) + 4) + text)
            else:
                self.pump(client, start)
        except (OSError, AssertionError, struct.error) as e:
            self.faults.append(repr(e))
        finally:
            client.close()

    def pump(self, client, start):
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self.cluster.dir}/.s.PGSQL.{self.cluster.port}")
        server.sendall(start)
        threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
        self.copy(client, server)

    def copy(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def packet(self, s):
        head = s.recv(4, socket.MSG_WAITALL) if not isinstance(s, ssl.SSLSocket) else s.recv(4)
        n = struct.unpack(">I", head)[0] - 4
        body = b""
        while len(body) < n:
            body += s.recv(n - len(body))
        return head + body

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
