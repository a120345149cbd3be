"""The same network and training in PyTorch: eager, and as a CUDA graph where there is a GPU.

`mnist_cnn.benchmarks.processes.run_torch` runs this program with any Python that has PyTorch, so it
imports nothing of the package. For each training it prints a JSON object: what, batch_size, seconds
of each epoch, training_seconds (without validation), validation and test (accuracies).
"""

import argparse
import json
import os
import sys
import time

import numpy as np

try:
    import torch
    from torch import nn
except ImportError as error:
    sys.exit("not installed ({})".format(error))


def build_network():
    """The tutorial's network up to its logits."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, 10),
    )


def build_optimizer(network):
    """The tutorial's gradient descent."""
    return torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)


def memory_format(channels_last):
    """The order of a convolution's data: (batch, row, column, channel), or channels second."""
    return torch.channels_last if channels_last else torch.contiguous_format


def as_graph(step, network, optimizer):
    """Capture a step as a CUDA graph; the warm-up leaves weights and momentum unchanged."""
    before = [parameter.detach().clone() for parameter in network.parameters()]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step()
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), before):
            parameter.copy_(value)
            optimizer.state[parameter]["momentum_buffer"].zero_()
    return captured.replay


def train(arrays, batch_size, num_epochs, device, graph=False, channels_last=False):
    """Train from seed 1 and return the object to print; `arrays` are on the device."""
    torch.manual_seed(1)
    order = memory_format(channels_last)
    network = build_network().to(device, memory_format=order)
    for name, parameter in network.named_parameters():  # Lasagne's initial weights
        nn.init.xavier_uniform_(parameter) if name.endswith("weight") else nn.init.zeros_(parameter)
    optimizer = build_optimizer(network)
    cross_entropy = nn.CrossEntropyLoss()
    X_train, y_train, X_val, y_val, X_test, y_test = arrays
    inputs = X_train[:batch_size].clone(memory_format=order)
    targets = y_train[:batch_size].clone()

    def step():
        loss = cross_entropy(network(inputs), targets)
        loss.backward()
        optimizer.step()
        # a graph writes to the same memory every time
        optimizer.zero_grad(set_to_none=not graph)

    def accuracy(images, labels):
        network.eval()
        with torch.inference_mode():
            hits = sum(
                (network(images[i : i + batch_size]).argmax(1) == labels[i : i + batch_size]).sum()
                for i in range(0, len(images), batch_size)
            )
        network.train()
        return hits.item() / len(images)  # waits for the GPU as well

    run = as_graph(step, network, optimizer) if graph else step
    seconds, training_seconds = [], []
    for _ in range(num_epochs):
        start = time.perf_counter()
        numbers = torch.randperm(len(X_train), device=device)
        for i in range(0, len(X_train) - batch_size + 1, batch_size):
            batch = numbers[i : i + batch_size]
            inputs.copy_(X_train[batch])
            targets.copy_(y_train[batch])
            run()
        training_seconds.append(time.perf_counter() - start)
        validation = accuracy(X_val, y_val)
        seconds.append(time.perf_counter() - start)
    return {
        "what": "PyTorch {}, {}, {}{}".format(
            torch.__version__, device, "CUDA graph" if graph else "eager", ", channels last" if channels_last else ""
        ),
        "batch_size": batch_size,
        "seconds": seconds,
        "training_seconds": training_seconds,
        "validation": validation,
        "test": accuracy(X_test, y_test),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="npz file with the six arrays")
    parser.add_argument("num_epochs", type=int)
    parser.add_argument("batch_sizes", type=int, nargs="+")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="even where there is a GPU")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not args.cpu else "cpu"
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    with np.load(args.dataset) as file:
        arrays = [torch.from_numpy(file["arr_%d" % i]).to(device) for i in range(6)]
    arrays[1::2] = [labels.long() for labels in arrays[1::2]]
    for graph in (False, True) if device == "cuda" else (False,):
        for batch_size in args.batch_sizes:
            print(json.dumps(train(arrays, batch_size, args.num_epochs, device, graph, args.channels_last)), flush=True)


if __name__ == "__main__":
    main()
