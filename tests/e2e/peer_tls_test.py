"""TLS between members: peer_tls_test.py STRATAD

Two members of etcd and one of ours with certificates of one authority, which
they ask of each other; who has none is turned away. And three of ours with
certificates that they make themselves. A member that joins late gets all over TLS.
"""
import os
import pathlib
import shutil
import ssl
import sys
import urllib.error
import urllib.request

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import certificates
import cluster
import server


def use(some):
    for number, member in enumerate(some.members):
        member.must("put", f"key{number}", "value")
    some.check_equal()
    some.leader().kill()
    some.leader()
    for member in some.running():
        member.must("put", "after", member.name)
    some.check_equal()


def joins_late(some, binary):
    """After so much load that it needs a snapshot, over TLS."""
    some.members[0].start()
    for number in range(60):
        some.members[0].must("put", f"late{number}", "x" * 100)
    joined = some.add(binary)
    some.promote(joined)
    assert joined.must("get", "late59", "--print-value-only").strip() == "x" * 100
    joined.must("put", "joined", joined.name)
    some.check_equal()


def is_served(url, certificate=None):
    context = ssl._create_unverified_context()
    if certificate:
        context.load_cert_chain(certificate.cert, certificate.key)
    try:
        return urllib.request.urlopen(url, timeout=5, context=context).status == 200
    except (urllib.error.URLError, ssl.SSLError, ConnectionError):
        return False


def main():
    stratad = sys.argv[1]
    directory = server.scratch("strata-peer-tls-")
    try:
        authority = certificates.Authority(directory / "ca")
        ours = authority.issue("member", hosts=["127.0.0.1", "localhost"])
        stranger = certificates.Authority(directory / "other").issue("stranger", hosts=["127.0.0.1"])
        flags = [f"--peer-cert-file={ours.cert}", f"--peer-key-file={ours.key}",
                 f"--peer-trusted-ca-file={authority.cert}", "--peer-client-cert-auth", "--snapshot-count=20"]
        with cluster.Cluster([server.ETCD, server.ETCD, stratad], flags=flags, scheme="https") as some:
            url = some.members[2].peer_url + "/version"
            assert is_served(url, ours), "a member's certificate was refused"
            assert not is_served(url), "no certificate was asked for"
            assert not is_served(url, stranger), "a stranger's certificate was taken"
            use(some)
            joins_late(some, stratad)
            joins_late(some, server.ETCD)
        with cluster.Cluster([stratad] * 3, flags=["--peer-auto-tls"], scheme="https", level="3.5") as some:
            use(some)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
