"""Ctrl-C at many moments of a first start: ``python tests/interrupts.py --moments 40``.

Each start has an empty cache and a folder of its own, and gets a terminal's Ctrl-C, which goes to the
compilers as well. It has to end with exit code 130, without a traceback, and leave nothing half-written:
no piece beside an output, no temporary folder, no compiler, and a cache from which the next start goes on.
Prints a row for each, and the longest time until the prompt was back.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


def start(folder):
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    flags = "base_compiledir={}".format(folder / "cache")
    return subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "scripts" / "train.py"),
            "--epochs",
            "1",
            "--batch-size",
            "5000",
            "--output",
            str(folder / "model.npz"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        cwd=str(folder),
        env=dict(os.environ, THEANO_FLAGS=flags, TMPDIR=str(folder / "tmp")),
        # a group of its own, as a shell starts it
        preexec_fn=lambda: (os.setpgrp(), signal.signal(signal.SIGINT, signal.SIG_DFL)),
    )


def left_behind(folder, group):
    """What should not be there any more."""
    left = list((folder / "tmp").iterdir()) + list(folder.glob(".*.part"))
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process)
        except (OSError, psutil.Error):
            pass
    return left


def interrupt(folder, moment):
    """Ctrl-C after so many seconds: seconds until it ended, what was wrong, whether Python started."""
    process = start(folder)
    try:
        process.wait(timeout=moment)
        return 0.0, ["it had ended"], False
    except subprocess.TimeoutExpired:
        pass
    sent = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    seconds = time.monotonic() - sent
    faults = []
    # as Python itself starts, before it reads the script, which knows nothing of it
    early = err.endswith("KeyboardInterrupt\n") and "scripts" not in err
    if process.returncode not in (130, -signal.SIGINT) and not early:  # a shell makes 130 of the latter
        faults.append("exit code {}".format(process.returncode))
    if err not in ("", "interrupted\n") and not early:
        faults.append(" ".join(err.split())[-300:])
    time.sleep(0.1)  # compilers that were killed are gone
    faults += ["left: {}".format(thing) for thing in left_behind(folder, process.pid)]
    return seconds, faults, early


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument(
        "--until",
        type=float,
        help="the last moment, in seconds (default: near the end of a first start, which is then timed)",
    )
    parser.add_argument("--limit", type=float, default=2, help="seconds until the prompt is back")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="interrupts-"))
    try:
        last = args.until
        if last is None:
            begin = time.monotonic()
            process = start(folder / "whole")
            assert process.wait() == 0, process.communicate()
            last = 0.9 * (time.monotonic() - begin)
        longest, failed = 0, 0
        for k in range(args.moments):
            # close together at the beginning: 2 ms, 4 ms, ...
            moment = 0.002 * (last / 0.002) ** (k / max(1, args.moments - 1))
            seconds, faults, early = interrupt(folder / str(k), moment)
            longest, failed = max(longest, seconds), failed + bool(faults)
            print(
                "{:8.3f} s: back after {:.2f} s  {}{}".format(
                    moment, seconds, "as Python started  " if early else "", "; ".join(faults)
                ),
                flush=True,
            )
            if k == args.moments - 1 and moment > 1:
                process = start(folder / str(k))
                out, err = process.communicate()
                if process.returncode or err:
                    failed += 1
                    print("          the next start ends with {}: {}".format(process.returncode, err))
            shutil.rmtree(str(folder / str(k)))
        print("{} moments, {} failed, back after {:.2f} s at most".format(args.moments, failed, longest))
        return failed > 0 or longest > args.limit
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
