"""Certificates for tests, made by the openssl program.

    authority = Authority(directory / "ca")
    server = authority.issue("server", hosts=["127.0.0.1", "localhost"])
    server.cert, server.key, authority.cert   # paths of PEM files
"""
import pathlib
import subprocess
from typing import NamedTuple

_CONFIG = """
[ca]
default_ca = this
[this]
dir = {directory}
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = optional
organizationName = optional
"""


class Pair(NamedTuple):
    cert: pathlib.Path
    key: pathlib.Path


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=30)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def _alternative_names(hosts):
    kinds = ("IP" if host.replace(".", "").isdigit() or ":" in host else "DNS" for host in hosts)
    return ",".join(f"{kind}:{host}" for kind, host in zip(kinds, hosts))


class Authority:
    """Signs certificates and revokes them. Everything it makes is in its directory."""

    def __init__(self, directory, name="test authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.config = self.directory / "openssl.cnf"
        self.config.write_text(_CONFIG.format(directory=self.directory))
        (self.directory / "index.txt").touch()
        (self.directory / "serial").write_text("1000\n")
        self.cert = self.directory / "ca.pem"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-subj", "/CN=" + name, "-keyout", self.directory / "ca.key", "-out", self.cert)

    def issue(self, name, hosts=(), common_name=None, until=None):
        """A certificate for `hosts`, for servers and clients; `until` as 20210101000000Z."""
        pair = Pair(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request = self.directory / f"{name}.csr"
        extensions = ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
        if hosts:
            extensions += ["-addext", "subjectAltName=" + _alternative_names(hosts)]
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                 "/CN=" + (common_name or name), "-keyout", pair.key, "-out", request, *extensions)
        dates = ["-startdate", "20200101000000Z", "-enddate", until] if until else []
        _openssl("ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", pair.cert, *dates)
        return pair

    def revoke(self, pair):
        _openssl("ca", "-batch", "-config", self.config, "-revoke", pair.cert)

    def write_crl(self, path, der=True):
        """The list of what has been revoked so far; replaces the file at once."""
        pem = self.directory / "crl.pem"
        _openssl("ca", "-config", self.config, "-gencrl", "-out", pem)
        fresh = pathlib.Path(f"{path}.new")
        if der:
            _openssl("crl", "-in", pem, "-outform", "DER", "-out", fresh)
        else:
            fresh.write_bytes(pem.read_bytes())
        fresh.rename(path)
