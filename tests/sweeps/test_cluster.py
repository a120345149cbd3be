"""Sweeps with real schedulers and workers, as processes: finished, killed, left, interrupted."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from mirrors import write_certificate

from conftest import ROOT, as_options, run_script, same_files

psutil = pytest.importorskip("psutil")
pytest.importorskip("distributed")

pytestmark = pytest.mark.slow


_started = []


@pytest.fixture(autouse=True)
def no_sweep_outlives_its_test():
    yield
    while _started:
        process = _started.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def start(folder, data, *args):
    """A sweep by the script, in a group of processes of its own, as a shell starts it."""
    _started.append(
        subprocess.Popen(
            [
                sys.executable,
                "-u",
                str(ROOT / "scripts" / "sweep.py"),
                *map(str, args),
                "--output",
                str(folder),
                "--data-dir",
                str(data),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            preexec_fn=lambda: (os.setpgrp(), signal.signal(signal.SIGINT, signal.SIG_DFL)),
        )
    )
    return _started[-1]


def finish(process, returncode=0):
    out, err = process.communicate()
    assert process.returncode == returncode, err
    return out, err


def load(folder):
    return {
        (record["setting"], record["seed"]): record
        for record in (json.loads(path.read_text()) for path in folder.glob("*.json"))
    }


def wait_for(condition, *processes):
    """Wait until something comes to pass, however busy the machine is; these processes must live on."""
    found = condition()
    while not found:
        ended = [process.returncode for process in processes if process.poll() is not None]
        time.sleep(0.1)
        found = condition()
        assert found or not ended, "it did not come to pass; exit codes {}".format(ended)
    return found


def spawned(pid):
    """The worker processes of a sweep."""
    return [
        child for child in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(child.cmdline())
    ]


def test_records_of_the_scripts_bits_and_of_a_failure(small_mnist, tmp_path):
    """Two workers; a setting whose loss is no number is recorded and stops nobody."""
    args = ["plain", "--grid", "learning-rate=.03,1e6", "--epochs", 1, "--seeds", "7-8"]
    out, err = finish(start(tmp_path / "out", small_mnist, *args))
    assert err == "" and "127.0.0.1" in out.splitlines()[0]  # the dashboard's address; no bar
    made = load(tmp_path / "out")
    assert {key: record["status"] for key, record in made.items()} == {
        ("plain, learning_rate {}".format(rate), seed): status
        for rate, status in ((0.03, "ok"), (1e6, "failed"))
        for seed in (7, 8)
    }
    assert out.count("failed: plain, learning_rate 1000000.0") == 2
    good = made["plain, learning_rate 0.03", 7]
    process = run_script(
        "train.py",
        *as_options(epochs=1, learning_rate=0.03, seed=7, data_dir=small_mnist, output=tmp_path / "model.npz"),
        env=dict(os.environ, OMP_NUM_THREADS=str(good["threads"])),
    )
    assert "test accuracy:\t\t{:.2f} %".format(100 * good["test_accuracy"]) in process.stdout
    model = tmp_path / "out" / good["weights"]
    assert same_files(model, tmp_path / "model.npz")
    assert (tmp_path / "out" / "accuracies.png").exists()

    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*-*-*")}
    again, _ = finish(start(tmp_path / "out", small_mnist, *args))
    assert again == out[out.index("| setting") :]  # nothing was trained, no worker started
    assert times == {path: path.stat().st_mtime_ns for path in times}
    process = run_script("evaluate.py", tmp_path / "out", "--data-dir", small_mnist)
    assert "ensemble of the 2" in process.stdout


def test_a_killed_worker_is_replaced(small_mnist, tmp_path):
    process = start(tmp_path, small_mnist, "plain", "--epochs", 10, "--seeds", "1-3", "--workers", 2)
    wait_for(lambda: any(tmp_path.glob("*.json")), process)  # so all are amid their work
    workers = spawned(process.pid)
    assert len(workers) == 2
    # whoever reaches their ports runs code: they are this machine's alone
    sockets = [
        socket
        for one in [psutil.Process(process.pid), *workers]
        for socket in one.connections("inet")
        if socket.status == psutil.CONN_LISTEN
    ]
    assert len(sockets) >= 3 and {socket.laddr.ip for socket in sockets} == {"127.0.0.1"}
    workers[0].kill()
    finish(process)
    assert {key[1]: record["status"] for key, record in load(tmp_path).items()} == {1: "ok", 2: "ok", 3: "ok"}


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_records_and_no_orphans(small_mnist, tmp_path, signum, code):
    process = start(tmp_path, small_mnist, "plain", "--epochs", 5, "--seeds", "1-60", "--workers", 2)
    wait_for(lambda: any(tmp_path.glob("*.json")), process)
    children = psutil.Process(process.pid).children(recursive=True)
    if signum == signal.SIGINT:
        os.killpg(process.pid, signum)  # a terminal's Ctrl-C goes to the workers as well
    else:
        process.send_signal(signum)
    _, err = finish(process, code)
    assert err == "interrupted\n"
    assert 1 <= len(load(tmp_path)) < 60
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def address_in(scheduler_file):
    """What Dask writes there; None before it is there as a whole."""
    try:
        return json.loads(scheduler_file.read_text())["address"]
    except (OSError, ValueError):
        return None


@pytest.fixture
def cluster(tmp_path):
    """A function that starts a scheduler with two workers; returns its process and address."""
    processes = []

    def run(threads, *args):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", *map(str, args)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=str(ROOT),
                env=dict(os.environ, OMP_NUM_THREADS=threads),
            )
        )
        return processes[-1]

    def start_cluster(name, *options, threads=("1", "1")):
        file = tmp_path / (name + ".json")
        scheduler = run(
            "1",
            "distributed.cli.dask_scheduler",
            "--port",
            0,
            "--host",
            "127.0.0.1",
            "--no-dashboard",
            "--scheduler-file",
            file,
            *options,
        )
        address = wait_for(lambda: address_in(file), scheduler)
        for count in threads:
            run(
                count,
                "distributed.cli.dask_worker",
                address,
                "--nthreads",
                1,
                "--no-dashboard",
                "--local-directory",
                tmp_path,
                *options,
            )
        return scheduler, address

    yield start_cluster
    for process in processes:
        process.kill()
        process.wait()


def test_a_scheduler_that_goes_and_comes(small_mnist, tmp_path, cluster):
    output = tmp_path / "out"
    scheduler, address = cluster("first")
    args = ["plain", "--epochs", 5]
    process = start(output, small_mnist, *args, "--seeds", "1-60", "--scheduler", address)
    wait_for(lambda: any(output.glob("*.json")), process)
    scheduler.kill()
    _, err = finish(process, 2)
    assert err.startswith("error: the Dask scheduler at ") and err.count("\n") == 1
    finished = load(output)
    assert 1 <= len(finished) < 60
    _, address = cluster("second")
    seeds = 1 + max(seed for _, seed in finished)
    finish(start(output, small_mnist, *args, "--seeds", "1-{}".format(seeds), "--scheduler", address))
    made = load(output)
    assert len(made) == seeds and all(made[key] == record for key, record in finished.items())


def test_no_scheduler_there(small_mnist, tmp_path):
    _, err = finish(start(tmp_path, small_mnist, "--scheduler", "tcp://127.0.0.1:1"), 2)
    assert err.startswith("error: there is no Dask scheduler at tcp://127.0.0.1:1: ")
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key, and a certificate that is its own authority: what Dask's TLS is given everywhere."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")
    write_certificate(folder, "sweep")
    return folder


def test_tls_as_the_docs_have_it(small_mnist, tmp_path, cluster, certificate, monkeypatch):
    """Who has no certificate is not heard; who has one names its files in Dask's variables."""
    names = {"ca-file": "cert.pem", "cert": "cert.pem", "key": "key.pem"}
    options = [word for name, file in names.items() for word in ("--tls-" + name, certificate / file)]
    _, address = cluster("tls", "--protocol", "tls", *options, threads=["1"])
    assert address.startswith("tls://127.0.0.1:")
    args = [tmp_path / "out", small_mnist, "plain", "--epochs", 1, "--seeds", "1", "--scheduler", address]
    _, err = finish(start(*args), 2)
    assert re.match("error: the Dask scheduler at tls://.* needs a certificate; set", err)
    assert err.count("\n") == 1
    for name, file in (("CA_FILE", "cert.pem"), ("CLIENT__CERT", "cert.pem"), ("CLIENT__KEY", "key.pem")):
        monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__" + name, str(certificate / file))
    finish(start(*args))
    assert load(tmp_path / "out")["plain", 1]["status"] == "ok"


def test_the_number_of_threads_is_the_sweeps(small_mnist, tmp_path, cluster):
    """Workers of several numbers have to be told one, which is then that of all trainings."""
    import distributed

    _, address = cluster("threads", threads=["1", "2"])
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2)
    output = tmp_path / "out"  # beside the scheduler's own file
    args = [output, small_mnist, "plain", "--epochs", 1, "--seeds", "1-2", "--scheduler", address]
    _, err = finish(start(*args), 2)
    assert "have 1 or 2 threads, on which results depend" in err and err.count("\n") == 1
    finish(start(*args, "--threads", 2))
    finish(start(*args))  # those that are there say it now
    assert {record["threads"] for record in load(output).values()} == {2}
    assert len({record["sha256"] for record in load(output).values()}) == 2  # one each seed
