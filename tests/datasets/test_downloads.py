"""A file from the net, from a real server: broken off, resumed, wrong, and two at a time."""

import hashlib
import re
import resource
import shutil
import ssl
import subprocess
import sys

import numpy as np
import pytest
from mirrors import Mirror, write_certificate

from conftest import ROOT
from mnist_cnn.datasets import DATASETS
from mnist_cnn.storage import download
from mnist_cnn.storage.download import fetch
from mnist_cnn.system.errors import MnistCnnError

CONTENT = np.random.RandomState(0).bytes(300000)
NAME, MD5 = "file.gz", hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def mirror():
    servers = []

    def start(behaviour="ok"):
        servers.append(Mirror({NAME: CONTENT}, behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("behaviour", ["ok", "slow", "encoded"])
def test_a_file_comes_as_it_is(tmp_path, mirror, behaviour):
    fetch(tmp_path, NAME, MD5, [mirror(behaviour).url])
    assert (tmp_path / NAME).read_bytes() == CONTENT and names(tmp_path) == [NAME]


def test_what_came_before_a_break_is_not_fetched_again(tmp_path, mirror, capsys):
    broken = mirror("truncated")
    with pytest.raises(MnistCnnError, match="cannot download file.gz"):
        fetch(tmp_path, NAME, MD5, [broken.url])
    assert names(tmp_path) == [".file.gz.part"]
    assert "the connection was lost" in capsys.readouterr().out
    good = mirror()
    fetch(tmp_path, NAME, MD5, [good.url])
    assert good.ranges == ["bytes=150000-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT and names(tmp_path) == [NAME]


def test_a_server_without_ranges_gives_all_of_it(tmp_path, mirror):
    (tmp_path / ".file.gz.part").write_bytes(CONTENT[:1000])
    fetch(tmp_path, NAME, MD5, [mirror("no ranges").url])
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"of another file", CONTENT[::-1], CONTENT + b"more"])
def test_a_part_of_another_file_does_no_harm(tmp_path, mirror, part):
    (tmp_path / ".file.gz.part").write_bytes(part)
    server = mirror()
    fetch(tmp_path, NAME, MD5, [server.url])
    assert (tmp_path / NAME).read_bytes() == CONTENT and names(tmp_path) == [NAME]
    assert len(server.requests) == 2


def test_a_part_that_is_all_of_it(tmp_path, mirror):
    (tmp_path / ".file.gz.part").write_bytes(CONTENT)
    server = mirror()
    fetch(tmp_path, NAME, MD5, [server.url])
    assert (tmp_path / NAME).read_bytes() == CONTENT and len(server.requests) == 1


@pytest.mark.parametrize("behaviour", ["wrong", "page", "missing"])
def test_what_is_wrong_leaves_nothing(tmp_path, mirror, behaviour):
    with pytest.raises(MnistCnnError, match="that file .MD5 {}. elsewhere".format(MD5)):
        fetch(tmp_path, NAME, MD5, [mirror(behaviour).url])
    assert names(tmp_path) == []


@pytest.mark.parametrize("behaviour, range_", [("drips", "bytes=2[0-9]{4}-"), ("drips a redirect", "None")])
def test_a_server_that_drips_is_given_up(tmp_path, mirror, capsys, behaviour, range_):
    """A byte at a time, each within the timeout; the next address goes on with what came."""
    slow, good = mirror(behaviour), mirror()
    fetch(tmp_path, NAME, MD5, [slow.url, good.url], timeout=0.2)
    assert "the server is too slow; the part received is kept" in capsys.readouterr().out
    assert (tmp_path / NAME).read_bytes() == CONTENT and names(tmp_path) == [NAME]
    assert len(good.ranges) == 1 and re.fullmatch(range_, str(good.ranges[0]))


def test_a_redirects_body_is_not_read(tmp_path, mirror):
    """10 MB of gzip that are 10 GB: requests would unpack them."""
    import gzip

    good = mirror()
    server = mirror("to " + good.url + NAME)
    server.files["bomb"] = gzip.compress(bytes(10**8), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetch(tmp_path, NAME, MD5, [server.url])
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50000  # kilobytes


@pytest.mark.parametrize(
    "behaviour, said",
    [
        ("to http://[::1", "redirects to an invalid address: http://.::1"),
        ("to ftp://example.org/x", "redirects to an invalid address: ftp://"),
        ("to http://a..b/", "label|invalid"),
        ("to file.gz", "redirects more than 5 times"),
        ("rude", r"answers 404 \\x1b\[2Jgone"),
    ],
)
def test_what_a_server_says(tmp_path, mirror, capsys, behaviour, said):
    with pytest.raises(MnistCnnError, match="cannot download file.gz"):
        fetch(tmp_path, NAME, MD5, [mirror(behaviour).url])
    out = capsys.readouterr().out
    assert re.search(said, out) and "truncated" not in out and "\x1b" not in out
    assert names(tmp_path) == []


def test_https_comes_first_and_a_planted_link_is_not_followed(tmp_path, capsys):
    addresses = ["http://127.0.0.1:9/", "https://127.0.0.1:9/"]
    with pytest.raises(MnistCnnError):
        fetch(tmp_path, NAME, MD5, addresses)
    assert re.findall("https?:", capsys.readouterr().out) == ["https:", "http:"]
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".file.gz.part").symlink_to("precious")
    with pytest.raises(MnistCnnError, match="cannot write to"):
        fetch(tmp_path, NAME, MD5, addresses)
    assert (tmp_path / "precious").read_text() == "precious"


def test_the_published_sha256_counts_where_it_is_known(tmp_path, mirror, monkeypatch):
    monkeypatch.setitem(download.SHA256, MD5, "0" * 64)
    with pytest.raises(MnistCnnError, match="cannot download"):
        fetch(tmp_path, NAME, MD5, [mirror().url])
    assert names(tmp_path) == []
    published = {digest for entry in DATASETS.values() for digest in entry.packed.values()}
    assert published <= set(download.SHA256)


@pytest.fixture
def with_tls(mirror, tmp_path_factory):
    """A server with a certificate that nobody has signed, and the certificate's file."""
    folder = tmp_path_factory.mktemp("tls")
    write_certificate(folder, "localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    server = mirror()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server.url.replace("http:", "https:"), folder / "cert.pem"


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_an_untrusted_certificate_is_named_and_the_advice_helps(tmp_path, with_tls, monkeypatch, capsys):
    url, certificate = with_tls
    with pytest.raises(MnistCnnError, match="cannot download file.gz"):
        fetch(tmp_path, NAME, MD5, [url])
    assert (
        "  no: the server's TLS certificate is not trusted (self-signed certificate); if your network "
        "uses its own authority, name its certificate file: REQUESTS_CA_BUNDLE=FILE\n"
        in capsys.readouterr().out.replace("self signed", "self-signed")
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    fetch(tmp_path, NAME, MD5, [url])
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_two_processes_at_once(tmp_path, mirror):
    server = mirror("slow")
    code = (
        "import sys\nfrom mnist_cnn.storage.download import fetch\n"
        "fetch(sys.argv[1], 'file.gz', sys.argv[2], [sys.argv[3]])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), MD5, server.url], cwd=str(ROOT), stdout=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert (tmp_path / NAME).read_bytes() == CONTENT and names(tmp_path) == [NAME]
    assert len(server.requests) == 1


def test_a_folder_that_cannot_be_written(tmp_path, mirror):
    with pytest.raises(MnistCnnError, match="cannot write to .*nowhere"):
        fetch(tmp_path / "nowhere", NAME, MD5, [mirror().url])
