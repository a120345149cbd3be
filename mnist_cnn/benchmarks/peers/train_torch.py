"""Train a network in PyTorch: eager, and as a CUDA graph where there is a GPU.

`mnist_cnn.benchmarks.processes.run_torch` runs this program with any Python that has PyTorch. For each
training it prints a JSON object: what, batch_size, seconds of each epoch, training_seconds (without
validation), validation and test (accuracies).
"""

import argparse
import json
import sys
import time

import numpy as np

try:
    import torch
    from torch import nn
    from with_torch import build_network, build_optimizer, initialize, memory_format
except ImportError as error:
    sys.exit("not installed ({})".format(error))


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


def train(layers, arrays, batch_size, num_epochs, device, graph=False, channels_last=False):
    """Train from seed 1 and return the object to print; `arrays` are on the device."""
    torch.manual_seed(1)
    order = memory_format(channels_last)
    network = initialize(build_network(layers), arrays[0].shape[1:]).to(device, memory_format=order)
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
    parser.add_argument("layers", type=json.loads, help="as mnist_cnn.benchmarks.networks has them, in JSON")
    parser.add_argument("dataset", help="npz file with the six arrays")
    parser.add_argument("num_epochs", type=int)
    parser.add_argument("batch_sizes", type=int, nargs="+")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="even where there is a GPU")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not args.cpu else "cpu"
    with np.load(args.dataset) as file:
        arrays = [torch.from_numpy(file["arr_%d" % i]).to(device) for i in range(6)]
    arrays[1::2] = [labels.long() for labels in arrays[1::2]]
    for graph in (False, True) if device == "cuda" else (False,):
        for batch_size in args.batch_sizes:
            result = train(args.layers, arrays, batch_size, args.num_epochs, device, graph, args.channels_last)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
