"""Files that are written whole, whoever else writes or has planted something there."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from conftest import ROOT
from mnist_cnn.storage import atomic, npz
from mnist_cnn.system.errors import MnistCnnError


def test_threads_that_write_one_file_leave_it_whole(tmp_path):
    """A half-written file never has the name: the piece beside it is each writer's own."""
    path, read, stop = tmp_path / "a.npz", [], threading.Event()

    def write(value):
        while not stop.is_set():
            npz.write_npz(path, {"a": np.full(50000, value)})

    threads = [threading.Thread(target=write, args=(float(value),)) for value in range(4)]
    for thread in threads:
        thread.start()
    try:
        while len(read) < 60:
            if path.exists():
                array = npz.read_npz(path, {"a": ("d", (50000,))})["a"]
                assert (array == array[0]).all()
                read.append(array[0])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(set(read)) > 1 and os.listdir(str(tmp_path)) == ["a.npz"]


def test_a_piece_that_is_being_written_stays(tmp_path):
    """By a process whose number is not known here, as in a container; one that is dead is removed."""
    code = (
        "import sys\nfrom mnist_cnn.storage import atomic, npz\n"
        "with atomic.atomic_open(sys.argv[1], 'w') as file:\n"
        "    print('open', flush=True)\n    sys.stdin.readline()\n    file.write('whole')\n"
    )
    path = tmp_path / "a.txt"

    def writer():
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], cwd=str(ROOT), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"open\n"
        return process

    killed, alive = writer(), writer()
    killed.kill()
    killed.communicate()
    assert len(os.listdir(str(tmp_path))) == 2
    atomic.check_writable(path)
    assert len(os.listdir(str(tmp_path))) == 1
    alive.communicate(b"\n")
    assert alive.returncode == 0 and path.read_text() == "whole"
    assert os.listdir(str(tmp_path)) == ["a.txt"]


def test_links_that_were_planted_are_not_followed(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    names = iter(["00", "01", "02"])
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda count: next(names))  # a good guess
    (tmp_path / ".a.txt.00.part").symlink_to(precious)
    with pytest.raises(MnistCnnError, match="cannot write .*a.txt: File exists"):
        with atomic.atomic_open(tmp_path / "a.txt", "w"):
            raise AssertionError("not opened")
    atomic.check_writable(tmp_path / "a.txt")  # which leaves the link's target alone
    assert precious.read_text() == "precious" and not (tmp_path / "a.txt").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files away")
def test_another_users_link_in_an_open_folder(tmp_path):
    precious, link = tmp_path / "precious", tmp_path / "open" / "a.txt"
    precious.write_text("precious")
    link.parent.mkdir()
    link.parent.chmod(0o1777)
    link.symlink_to(precious)
    os.lchown(str(link), 12345, 12345)
    for function in (atomic.check_writable, lambda path: npz.write_npz(path, {"a": np.ones(1)})):
        with pytest.raises(MnistCnnError, match="it is another user's link"):
            function(link)
    assert precious.read_text() == "precious"
    os.lchown(str(link), os.geteuid(), os.getegid())  # one's own is followed, as ever
    npz.write_npz(link, {"a": np.ones(1)})
    assert link.is_symlink() and precious.read_bytes()[:2] == b"PK"
