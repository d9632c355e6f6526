"""certs - certificates of a test's own authority, made by openssl(1), and a
client that checks them."""
import os
import socket
import ssl
import subprocess
import time

from rig.wire import Client, Reader

KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["rsa:2048"]}


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL)


class Cert:
    """The paths of a certificate (with its chain) and its key."""

    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    def row(self):
        """As a row of tls.certificates."""
        return {"certificate": self.cert, "key": self.key}


class Authority:
    def __init__(self, rig, name="ca", above=None):
        """above: the authority that certifies it; by default itself."""
        self.above = above
        self.dir = f"{rig.dir}/{name}"
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.cert, self.key = f"{self.dir}/ca.pem", f"{self.dir}/ca.key"
        self.made = 0
        by = ["-CA", above.cert, "-CAkey", above.key] if above else []
        openssl("req", "-x509", "-newkey", *KEYS["ec"], "-nodes", "-days", "9",
                "-keyout", self.key, "-out", self.cert, "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", *by)

    def leaf(self, *names, key="ec", days=5, path=None, usage="serverAuth"):
        """For these names, the first is the subject's; days -1: expired.
        path: where it goes, over what is there, both files at once."""
        self.made += 1
        new = f"{self.dir}/{self.made}-{names[0].replace('*', 'star')}"
        path = path or new
        with open(f"{new}.ext", "w", encoding="ascii") as f:
            f.write("subjectAltName=" + ",".join(
                (f"IP:{n}" if n[0].isdigit() else f"DNS:{n}")
                for n in names) + f"\nextendedKeyUsage={usage}\n")
        openssl("req", "-new", "-newkey", *KEYS[key], "-nodes", "-keyout",
                f"{new}.newkey", "-out", f"{new}.csr", "-subj",
                f"/CN={names[0]}")
        openssl("x509", "-req", "-in", f"{new}.csr", "-CA", self.cert,
                "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                "-extfile", f"{new}.ext", "-out", f"{new}.newpem")
        if self.above is not None:
            with open(f"{new}.newpem", "a", encoding="ascii") as f, \
                    open(self.cert, encoding="ascii") as own:
                f.write(own.read())
        os.chmod(f"{new}.newkey", 0o600)
        os.rename(f"{new}.newpem", f"{path}.pem")
        os.rename(f"{new}.newkey", f"{path}.key")
        return Cert(f"{path}.pem", f"{path}.key")

    def crl(self, *revoked, path=None, overdue=False):
        """The path of a list that has these, and all before, revoked."""
        conf, index = f"{self.dir}/crl.conf", f"{self.dir}/index"
        path = path or f"{self.dir}/crl.pem"
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={index}\n"
                    f"certificate={self.cert}\nprivate_key={self.key}\n"
                    f"default_md=sha256\ndefault_crl_hours=1\n"
                    f"unique_subject=no\n")
        with open(index, "a", encoding="ascii"):
            pass
        for cert in revoked:
            openssl("ca", "-config", conf, "-revoke", cert.cert)
        when = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate",
                "20200102000000Z"] if overdue else ["-crldays", "1"]
        openssl("ca", "-config", conf, "-gencrl", "-out", f"{path}.new", *when)
        os.rename(f"{path}.new", path)
        return path

    def ocsp(self, cert, path, revoked=False):
        """What it says of a certificate of its own, in DER, at path."""
        def of(what):
            return subprocess.run(
                ["openssl", "x509", "-in", cert.cert, "-noout", f"-{what}"],
                check=True, capture_output=True,
                text=True).stdout.strip().split("=")[1]
        state = "R\t301231235959Z\t200101000000Z" if revoked else \
            "V\t301231235959Z\t"
        with open(f"{self.dir}/ocsp.index", "w", encoding="ascii") as f:
            f.write(f"{state}\t{of('serial')}\tunknown\t/CN=x\n")
        openssl("ocsp", "-index", f"{self.dir}/ocsp.index", "-CA", self.cert,
                "-rsigner", self.cert, "-rkey", self.key, "-issuer", self.cert,
                "-cert", cert.cert, "-ndays", "1", "-respout", f"{path}.new")
        os.rename(f"{path}.new", path)
        return path

    def trusting(self, **more):
        """A client's context that trusts this authority alone."""
        context = ssl.create_default_context(cafile=self.cert)
        for name, value in more.items():
            setattr(context, name, value)
        return context


class TlsClient(Client):
    """One connection over TLS; host goes to SNI and Host, and is verified."""

    def __init__(self, address, context, host="localhost", sni=None,
                 session=None, **kw):
        super().__init__(address, **kw)
        self.address = host
        try:
            self.sock = context.wrap_socket(
                self.sock, server_hostname=sni or host, session=session,
                suppress_ragged_eofs=False)
        except BaseException:
            self.sock.close()
            raise
        self.reader = Reader(self.sock)

    def peer_names(self):
        return [n for kind, n in
                self.sock.getpeercert().get("subjectAltName", ())
                if kind == "DNS"]


def tls_once(address, context, target="/get", **kw):
    """One request on a connection of its own; the answer."""
    with TlsClient(address, context, **kw) as c:
        return c.get(target)


def raw(address, timeout=10):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout)


def settles(true, times=8, seconds=10):
    """Until true() is so many times in a row: a reload returns before each of
    the workers has taken it over."""
    row, end = 0, time.monotonic() + seconds
    while row < times:
        try:
            row = row + 1 if true() else 0
        except (OSError, AssertionError):
            row = 0
        assert time.monotonic() < end, "it does not settle"
