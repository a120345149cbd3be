"""Trainings as tasks of dask.distributed, on local workers or on a scheduler elsewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.card import DataCard
from ..system import machine
from ..system.errors import Interrupted, MnistCnnError
from ..system.progress import progress_bar
from ..system.signals import ENDING, interrupt, signals
from ..training.config import Config
from .records import require_record, write_record
from .task import run_task, warm_up

if TYPE_CHECKING:
    import distributed

__all__ = ["train_all", "local_cluster"]

WORKER_MEMORY = 7 * 10**8  # bytes of a training with its data


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
            # training steps hold the GIL, which Dask would report as unresponsive
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
    """The number of local workers: limited by tasks, cores and memory."""
    import psutil

    return max(1, min(tasks, machine.cores(), psutil.virtual_memory().available // WORKER_MEMORY))


@contextlib.contextmanager
def _without_signals():
    """Block Ctrl-C, SIGTERM and SIGHUP in threads and processes that start in the block.

    Dask starts its workers from a thread, and they inherit its signal mask. A Ctrl-C, which a terminal
    sends to all of them, then ends only the sweep, which closes its workers.

    The sweep itself ends after the block, since a half-started cluster cannot be closed. It needs a
    handler besides the mask, since older threads may get the signal. A second signal ends the block at
    once.
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
    # multiprocessing would start it with its first process, and unblock SIGINT and SIGTERM afterwards
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def local_cluster(workers: int, threads: int) -> Iterator[distributed.LocalCluster]:
    """Start worker processes on this machine, with a fixed number of threads.

    Parameters
    ----------
    workers, threads : int
        The number of workers, and of the threads of each.

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


def threads_there(scheduler: str | None, workers: int | None, tasks: int) -> int:
    """The number of threads of each training in a new sweep.

    Parameters
    ----------
    scheduler : str, optional
        The address of a Dask scheduler, whose workers are asked.
    workers : int, optional
        The number of local workers; by default as for `mnist_cnn.sweeps.sweep`.
    tasks : int
        The number of trainings.

    Returns
    -------
    int

    Raises
    ------
    MnistCnnError
        When the scheduler cannot be reached, or its workers have different numbers of threads.
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
            "the workers of {} have {} threads, on which results depend; set the number "
            "for all trainings (--threads)".format(scheduler, " or ".join(map(str, found)))
        )
    return found[0]


@contextlib.contextmanager
def _client(scheduler, cluster=None):
    """A client of a remote scheduler, or of a local cluster."""
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
                "the Dask scheduler at {} has gone; finished trainings are kept, and the same command resumes".format(
                    scheduler or "this machine"
                )
            ) from error


def _require_scheduler(address):
    """Raise MnistCnnError without its certificate, OSError or ValueError if it cannot be reached."""
    import distributed

    if address.startswith("tls:") and not distributed.Security().get_connection_args("client").get("ssl_context"):
        raise MnistCnnError(
            "the Dask scheduler at {} needs a certificate; set its files in "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY "
            "(docs/sweeps.md)".format(address)
        )
    # a client that cannot connect would delay Python's exit and print a traceback
    socket.create_connection(distributed.comm.get_address_host_port(address), timeout=10).close()


def train_all(
    wanted: Mapping[Path, tuple[str, Config]],
    done: int,
    data: tuple[str | None, str | None],
    card: DataCard,
    threads: int,
    scheduler: str | None = None,
    workers: int | None = None,
) -> None:
    """Run trainings as tasks, and write each record as soon as its training is finished.

    Parameters
    ----------
    wanted : dict
        From each record's path to the setting's name and the `Config` with its seed.
    done : int
        Trainings of the sweep that were finished before, for the progress bar.
    data : pair of path-like or None
        The data's folder and name, as for `mnist_cnn.data.load_dataset`.
    card : mnist_cnn.datasets.card.DataCard
        The data card.
    threads : int
        The threads of each training.
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
    """Close a cluster, or a client whose scheduler may have gone, silently."""
    with _without_signals(), contextlib.suppress(Exception):
        opened.close(timeout=timeout)


def _warm_up(client, wanted, card):
    """Fill the compile cache on one worker, before many would compile the same."""
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
    """A task's record and weights; a failed task's record has the error.

    `common` has the fields that do not depend on the result.
    """
    import distributed

    try:
        record, weights = future.result()
        record = dict(record, **common)
        require_record(record)
        if not all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in weights):
            raise ValueError("its weights are not numbers")
        return record, weights
    except distributed.KilledWorker:
        error = "its worker died, and so did those of the retries"
    except (distributed.CancelledError, distributed.comm.CommClosedError):
        raise
    except Exception as other:  # a defect of ours must not stop the other trainings
        error = "{}: {}".format(type(other).__name__, " ".join(str(other).split()))
    return dict(common, status="failed", error=error, seconds=0.0), []
