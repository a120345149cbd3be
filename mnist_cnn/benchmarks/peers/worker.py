"""The program that times one framework; `mnist_cnn.benchmarks.peers` starts it with the framework's Python.

It imports nothing of the package. Its arguments are a module beside it and the number of processors
to use. It reads JSON lines from stdin and answers each by one on stdout: first the job, then for each
measurement a contender's name, what to call (``step`` or ``answer``), the batch size and how often.
"""

import importlib
import json
import os
import sys
import time

import numpy as np

BATCHES = 50  # that take turns, where there are so many


def main():
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints is no reply
    if hasattr(os, "sched_setaffinity"):  # JAX has no other limit
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])
    framework = importlib.import_module(sys.argv[1])
    job = json.loads(sys.stdin.readline())
    with np.load(job["data"]) as file:
        images, labels = file["images"], file["labels"]
    contenders = {
        name: framework.Contender(job["layers"], job["shape"], **settings)
        for name, settings in framework.CONTENDERS.items()
    }
    sizes = {name: contender.parameters for name, contender in contenders.items()}
    print(json.dumps([framework.VERSION, sizes]), file=replies, flush=True)
    prepared = {}
    for line in sys.stdin:
        name, method, batch_size, count = json.loads(line)
        contender = contenders[name]
        key = name, batch_size
        if key not in prepared:
            starts = range(0, len(images) - batch_size + 1, batch_size)[:BATCHES]
            prepared = {
                key: [contender.prepare(images[i : i + batch_size], labels[i : i + batch_size]) for i in starts]
            }
        batches, call = prepared[key], getattr(contender, method)
        start = time.perf_counter()
        for i in range(count):
            result = call(*batches[i % len(batches)])
        seconds = time.perf_counter() - start
        print(json.dumps([seconds, result]), file=replies, flush=True)


if __name__ == "__main__":
    main()
