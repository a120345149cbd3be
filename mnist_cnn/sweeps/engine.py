"""Trainings as tasks of dask.distributed, on local workers or on a scheduler elsewhere."""

import contextlib
import logging
import os
import signal
import socket
import threading
import warnings
from dataclasses import asdict
from multiprocessing import resource_tracker

from ..support.errors import Interrupted, MnistCnnError
from ..support.progress import progress_bar
from .records import write_record
from .task import run_task, warm_up

__all__ = ["train_all", "local_cluster"]

WORKER_MEMORY = 7 * 10 ** 8  # bytes that a training takes, its data included


def _import_dask():
    try:
        import dask
        import distributed
    except ImportError as error:
        raise MnistCnnError("a sweep needs Dask; run: pip install -e .[sweep]") from error
    dask.config.set({
        "distributed.comm.timeouts.connect": "10s",
        "distributed.scheduler.allowed-failures": 3,
        # a training holds Python's lock in its steps; that is no fault of a worker
        "distributed.admin.tick.limit": "1h",
        "distributed.worker.profile.enabled": False,
    })
    for name in ("distributed", "distributed.nanny", "distributed.scheduler", "distributed.client",
                 "distributed.core", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _fitting(tasks):
    """As many workers as there are tasks, cores, and memory for."""
    import psutil
    return max(1, min(tasks, _cores(), psutil.virtual_memory().available // WORKER_MEMORY))


@contextlib.contextmanager
def _without_signals():
    """Threads and processes that are started in the block never see Ctrl-C or SIGTERM.

    Dask starts its workers from a thread, and they inherit its mask. So a Ctrl-C, which a terminal
    sends to all of them, ends the sweep alone, which then ends its workers in good order.
    """
    signals = {signal.SIGINT, signal.SIGTERM}
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # multiprocessing starts it before its first process, and lets both signals through afterwards
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
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

    Examples
    --------
    >>> from mnist_cnn.sweeps.engine import local_cluster
    >>> with local_cluster(workers=1, threads=1) as cluster:
    ...     len(cluster.workers)
    1
    """
    distributed = _import_dask()
    env = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    env["OPENBLAS_NUM_THREADS"] = "1"
    with _without_signals(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, env=env,
            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL)
    try:
        yield cluster
    finally:
        with _without_signals():
            cluster.close(timeout=10)


@contextlib.contextmanager
def _sigterm_as_ctrl_c():
    """SIGTERM ends a sweep as Ctrl-C does: what is finished stays, and no worker is left behind."""
    def end(signum, frame):
        raise Interrupted(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def train_all(wanted, done, data, about, digest, scheduler=None, workers=None, threads=None):
    """Run trainings as tasks, and write each one's record as soon as it is finished.

    Parameters
    ----------
    wanted : dict
        From each record's path to the setting's name and the `Config` with its seed.
    done : int
        Trainings of the sweep that are finished already; the bar counts them.
    data : pair of path-like or None
        The data's folder and name, as for `mnist_cnn.data.load_dataset`.
    about : mnist_cnn.support.about.About
        What they are.
    digest : str
        What `mnist_cnn.sweeps.task.data_digest` says of it.
    scheduler, workers, threads
        As for `mnist_cnn.sweeps.sweep`.

    Raises
    ------
    MnistCnnError
        When the scheduler cannot be reached, or goes away.

    Examples
    --------
    With a Dask scheduler at work:

    >>> from mnist_cnn.sweeps.engine import train_all
    >>> train_all(wanted, 0, (None, "mnist"), about, digest,
    ...           scheduler="tcp://127.0.0.1:8786")  # doctest: +SKIP
    """
    distributed = _import_dask()
    data = None if data[0] is None else os.path.abspath(str(data[0])), data[1]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_sigterm_as_ctrl_c())
        if scheduler is None:
            workers = min(workers or _fitting(len(wanted)), len(wanted))
            threads = threads or max(1, _cores() // workers)
            address = stack.enter_context(local_cluster(workers, threads))
        else:
            address = scheduler
        try:
            if scheduler is not None:
                # a client that cannot connect would wait as Python exits, and print a traceback
                socket.create_connection(
                    distributed.comm.get_address_host_port(scheduler), timeout=10).close()
            with _without_signals():
                client = distributed.Client(address, timeout="10s", set_as_default=False)
        except (OSError, ValueError, OverflowError) as error:
            raise MnistCnnError("there is no Dask scheduler at {}: {}".format(
                scheduler, " ".join(str(error).split()) or "no answer")) from error
        stack.callback(_close, client)
        if client.dashboard_link:
            print("Dask's dashboard (with bokeh installed): {}".format(client.dashboard_link),
                  flush=True)
        if scheduler is None:
            _warm_up(client, wanted, about)
        try:
            _gather(client, wanted, done, data, about, digest)
        except (distributed.CancelledError, distributed.comm.CommClosedError) as error:
            raise MnistCnnError(
                "the Dask scheduler at {} has gone; what is finished is kept, and the same command "
                "goes on from there".format(scheduler or "this machine")) from error


def _close(client):
    """Close a client whose scheduler may have gone, without a word."""
    with _without_signals(), contextlib.suppress(Exception):
        client.close(timeout=5)


def _warm_up(client, wanted, about):
    """Compile once, on one worker, before many would compile the same at a time."""
    kinds = {(config.dropout, config.ema > 0, config.engine, config.momentum): config
             for _, config in wanted.values()}
    client.submit(warm_up, list(kinds.values()), about, pure=False).result()


def _gather(client, wanted, done, data, about, digest):
    """Submit the tasks, and write their records as they come."""
    import distributed
    futures = {client.submit(run_task, config, data, digest, pure=False): path
               for path, (_, config) in wanted.items()}
    best = None
    with progress_bar(total=done + len(wanted), initial=done, unit="training") as bar:
        for future in distributed.as_completed(list(futures), loop=client.loop):
            path = futures.pop(future)
            name, config = wanted[path]
            record, weights = _result(future, config)
            record = write_record(path, name, record, weights, about)
            future.release()
            if record["status"] == "ok" and (best is None
                                             or record["test_accuracy"] > best["test_accuracy"]):
                best = record
                bar.set_postfix_str("best {:.2f} % ({}, seed {})".format(
                    100 * best["test_accuracy"], best["setting"], best["seed"]))
            bar.update()


def _result(future, config):
    """A task's record and weights; of a task that kills its workers, a record that says so."""
    import distributed
    try:
        return future.result()
    except distributed.KilledWorker:
        error = "its worker died, and so did those that tried again"
    except (distributed.CancelledError, distributed.comm.CommClosedError):
        raise
    except Exception as other:  # a defect of ours must not stop the other trainings
        error = "{}: {}".format(type(other).__name__, " ".join(str(other).split()))
    return dict(status="failed", config=asdict(config), seed=config.seed, error=error,
                seconds=0.), []
