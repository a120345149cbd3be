"""A file from the net, from a real server: broken off, resumed, wrong, and two at a time."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from mirrors import Mirror

from mnist_cnn.support.download import fetch
from mnist_cnn.support.errors import MnistCnnError

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
    with pytest.raises(MnistCnnError, match="none of these gave file.gz"):
        fetch(tmp_path, NAME, MD5, [broken.url])
    assert names(tmp_path) == [".file.gz.part"]
    assert "the connection broke off" in capsys.readouterr().out
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


def test_two_processes_at_once(tmp_path, mirror):
    server = mirror("slow")
    code = ("import sys\nfrom mnist_cnn.support.download import fetch\n"
            "fetch(sys.argv[1], 'file.gz', sys.argv[2], [sys.argv[3]])")
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), MD5, server.url],
                                  cwd=str(ROOT), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert (tmp_path / NAME).read_bytes() == CONTENT and names(tmp_path) == [NAME]
    assert len(server.requests) == 1


def test_a_folder_that_cannot_be_written(tmp_path, mirror):
    with pytest.raises(MnistCnnError, match="cannot write to .*nowhere"):
        fetch(tmp_path / "nowhere", NAME, MD5, [mirror().url])
