"""certs.py - a certificate authority of a test, and what it signs: good, and bad in one way each."""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A root and an intermediate; leaves are signed by the latter, and come with it."""

    def __init__(self, folder, name="test root"):
        self.folder = str(folder)
        self.root, self.root_key = self.make(name, ca=True)
        self.middle, self.middle_key = self.make(name + " 2", by=(self.root, self.root_key), ca=True)
        self.bundle = self.write(name.replace(" ", "-") + ".crt", pem(self.root))

    def make(self, name, by=None, ca=False, hosts=(), days=(-1, 30)):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        issuer, signer = (by[0].subject, by[1]) if by else (name_of(name), key)
        builder = (x509.CertificateBuilder().subject_name(name_of(name)).issuer_name(issuer)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
                   .add_extension(x509.BasicConstraints(ca, None), critical=True))
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(h)) if h[0].isdigit() else x509.DNSName(h)
                 for h in hosts]), critical=False)
        return builder.sign(signer, hashes.SHA256()), key

    def write(self, name, *parts, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(b"".join(parts))
        os.chmod(path, mode)
        return path

    def issue(self, name, hosts=("127.0.0.1", "localhost"), days=(-1, 30), is_self_signed=False):
        """(certificate with its chain, key), as paths."""
        by = None if is_self_signed else (self.middle, self.middle_key)
        certificate, key = self.make(name, by, hosts=hosts, days=days)
        chain = [pem(certificate)] + ([] if is_self_signed else [pem(self.middle)])
        private = key.private_bytes(serialization.Encoding.PEM,
                                    serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        return self.write(name + ".crt", *chain), self.write(name + ".key", private)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


# What each is bad in; and how libpq or curl see it.
BAD = {
    "expired": {"days": (-30, -1)},
    "not yet valid": {"days": (2, 30)},
    "of another host": {"hosts": ("db.example.com",)},
    "self-signed": {"is_self_signed": True},
}
