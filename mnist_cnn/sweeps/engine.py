"""Trainings as tasks of dask.distributed, on local workers or on a scheduler elsewhere."""

import contextlib
import logging
import os
import signal
import socket
import warnings
from dataclasses import asdict
from multiprocessing import resource_tracker

import numpy as np

from ..system import machine
from ..system.errors import Interrupted, MnistCnnError
from ..system.progress import progress_bar
from ..system.signals import ENDING, interrupt, signals
from .records import require_record, write_record
from .task import run_task, warm_up

__all__ = ["train_all", "local_cluster"]

WORKER_MEMORY = 7 * 10**8  # bytes that a training takes, its data included


def _import_dask():
    try:
        import dask
        import distributed
    except ImportError as error:
        raise MnistCnnError("a sweep needs Dask; run: pip install -e .[sweep]") from error
    dask.config.set(
        {
            "distributed.comm.timeouts.connect": "10s",
            "distributed.scheduler.allowed-failures": 3,
            # a training holds Python's lock in its steps; that is no fault of a worker
            "distributed.admin.tick.limit": "1h",
            "distributed.worker.profile.enabled": False,
        }
    )
    for name in (
        "distributed",
        "distributed.nanny",
        "distributed.scheduler",
        "distributed.client",
        "distributed.core",
        "tornado.application",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


def _fitting(tasks):
    """As many workers as there are tasks, cores, and memory for."""
    import psutil

    return max(1, min(tasks, machine.cores(), psutil.virtual_memory().available // WORKER_MEMORY))


@contextlib.contextmanager
def _without_signals():
    """Threads and processes that are started in the block never see Ctrl-C, SIGTERM or SIGHUP.

    Dask starts its workers from a thread, and they inherit its mask. So a Ctrl-C, which a terminal
    sends to all of them, ends the sweep alone, which then ends its workers in good order.

    The sweep itself ends after the block: a cluster that is half started cannot be closed. A mask is not
    enough, since a signal may go to a thread that was there before. A second one ends the block at once.
    """
    received = []

    def note(signum, frame):
        received.append(signum)
        if len(received) > 1:
            raise Interrupted(signum)

    try:
        with signals(note), _masked():
            yield
    finally:
        if received:
            raise Interrupted(received[0])


@contextlib.contextmanager
def _masked():
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # multiprocessing starts it before its first process, and lets both signals through afterwards
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def local_cluster(workers, threads):
    """Worker processes on this machine, with their threads pinned.

    Parameters
    ----------
    workers, threads : int
        How many, and how many threads each trains with.

    Yields
    ------
    distributed.LocalCluster
    """
    distributed = _import_dask()
    env = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    env["OPENBLAS_NUM_THREADS"] = "1"
    with contextlib.ExitStack() as stack:
        with _without_signals(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                env=env,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            stack.callback(_close, cluster, timeout=10)
        yield cluster


def threads_there(scheduler, workers, tasks):
    """The number of threads that each training of a new sweep is to have.

    Parameters
    ----------
    scheduler : str, optional
        The address of a Dask scheduler, whose workers say how many they have.
    workers : int, optional
        How many local ones there will be; by default as many as the machine is fit for.
    tasks : int
        How many trainings the sweep has.

    Returns
    -------
    int

    Raises
    ------
    MnistCnnError
        When the scheduler cannot be reached, or its workers have different numbers.
    """
    if scheduler is None:
        return max(1, machine.cores() // min(workers or _fitting(tasks), tasks))
    with _client(scheduler) as client:
        if not client.scheduler_info()["workers"]:
            print("Waiting for the first worker of {}".format(scheduler), flush=True)
            client.wait_for_workers(1)
        found = sorted(set(client.run(machine.threads).values()))
    if len(found) > 1:
        raise MnistCnnError(
            "the workers of {} have {} threads, on which results depend; say how many "
            "each training is to have (--threads)".format(scheduler, " or ".join(map(str, found)))
        )
    return found[0]


@contextlib.contextmanager
def _client(scheduler, cluster=None):
    """A client of a scheduler elsewhere, or of a cluster of this machine."""
    distributed = _import_dask()
    with contextlib.ExitStack() as stack:
        try:
            if cluster is None:
                _require_scheduler(scheduler)
            with _without_signals():
                client = distributed.Client(cluster or scheduler, timeout="10s", set_as_default=False)
                stack.callback(_close, client, timeout=5)
        except (OSError, ValueError, OverflowError) as error:
            raise MnistCnnError(
                "there is no Dask scheduler at {}: {}".format(scheduler, " ".join(str(error).split()) or "no answer")
            ) from error
        try:
            yield client
        except (distributed.CancelledError, distributed.comm.CommClosedError) as error:
            raise MnistCnnError(
                "the Dask scheduler at {} has gone; what is finished is kept, and the same command "
                "goes on from there".format(scheduler or "this machine")
            ) from error


def _require_scheduler(address):
    """MnistCnnError without a certificate for it, OSError or ValueError where nothing answers."""
    import distributed

    if address.startswith("tls:") and not distributed.Security().get_connection_args("client").get("ssl_context"):
        raise MnistCnnError(
            "the Dask scheduler at {} wants a certificate; name its files, "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY "
            "(docs/sweeps.md)".format(address)
        )
    # a client that cannot connect would wait as Python exits, and print a traceback
    socket.create_connection(distributed.comm.get_address_host_port(address), timeout=10).close()


def train_all(wanted, done, data, card, threads, scheduler=None, workers=None):
    """Run trainings as tasks, and write each one's record as soon as it is finished.

    Parameters
    ----------
    wanted : dict
        From each record's path to the setting's name and the `Config` with its seed.
    done : int
        Trainings of the sweep that are finished already; the bar counts them.
    data : pair of path-like or None
        The data's folder and name, as for `mnist_cnn.data.load_dataset`.
    card : mnist_cnn.datasets.card.DataCard
        What they are.
    threads : int
        Of each training.
    scheduler, workers
        As for `mnist_cnn.sweeps.sweep`.

    Raises
    ------
    MnistCnnError
        When the scheduler cannot be reached, or goes away.
    """
    data = None if data[0] is None else os.path.abspath(str(data[0])), data[1]
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals(interrupt))
        cluster = None
        if scheduler is None:
            workers = min(workers or _fitting(len(wanted)), len(wanted))
            cluster = stack.enter_context(local_cluster(workers, threads))
        client = stack.enter_context(_client(scheduler, cluster))
        if client.dashboard_link:
            print("Dask's dashboard (with bokeh installed): {}".format(client.dashboard_link), flush=True)
        if scheduler is None:
            _warm_up(client, wanted, card)
        _gather(client, wanted, done, data, card, threads)


def _close(opened, timeout):
    """Close a cluster, or a client whose scheduler may have gone, without a word."""
    with _without_signals(), contextlib.suppress(Exception):
        opened.close(timeout=timeout)


def _warm_up(client, wanted, card):
    """Compile once, on one worker, before many would compile the same at a time."""
    kinds = {(config.dropout, config.ema > 0, config.engine, config.momentum): config for _, config in wanted.values()}
    client.submit(warm_up, list(kinds.values()), card, pure=False).result()


def _gather(client, wanted, done, data, card, threads):
    """Submit the tasks, and write their records as they come."""
    import distributed

    futures = {
        client.submit(run_task, config, data, card.digest, threads, pure=False): path
        for path, (_, config) in wanted.items()
    }
    best = None
    with progress_bar(total=done + len(wanted), initial=done, unit="training") as bar:
        for future in distributed.as_completed(list(futures), loop=client.loop):
            path = futures.pop(future)
            name, config = wanted[path]
            common = dict(setting=name, config=asdict(config), seed=config.seed, data=card.digest, threads=threads)
            record, weights = _result(future, common)
            record = write_record(path, name, record, weights, card)
            future.release()
            if record["status"] == "ok" and (best is None or record["test_accuracy"] > best["test_accuracy"]):
                best = record
                bar.set_postfix_str(
                    "best {:.2f} % ({}, seed {})".format(100 * best["test_accuracy"], best["setting"], best["seed"])
                )
            bar.update()


def _result(future, common):
    """A task's record and weights; of one that went wrong, a record that says so.

    `common` is what the record of any training of this sweep holds.
    """
    import distributed

    try:
        record, weights = future.result()
        record = dict(record, **common)
        require_record(record)
        if not all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in weights):
            raise ValueError("its weights are no numbers")
        return record, weights
    except distributed.KilledWorker:
        error = "its worker died, and so did those that tried again"
    except (distributed.CancelledError, distributed.comm.CommClosedError):
        raise
    except Exception as other:  # a defect of ours must not stop the other trainings
        error = "{}: {}".format(type(other).__name__, " ".join(str(other).split()))
    return dict(common, status="failed", error=error, seconds=0.0), []
