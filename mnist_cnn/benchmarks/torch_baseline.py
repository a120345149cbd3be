"""The same network and training in PyTorch: eager, and as a CUDA graph where there is a GPU.

A program of its own, run by `mnist_cnn.benchmarks.device` with whatever Python has PyTorch:
torch_baseline.py DATASET.npz EPOCHS BATCH_SIZE... It imports nothing of the package and prints a
JSON line a training: [what, batch size, seconds of each epoch, validation and test accuracy].
"""

import json
import sys
import time

import numpy as np

try:
    import torch
    from torch import nn
except ImportError as error:
    sys.exit("not installed ({})".format(error))


def build_network():
    """The tutorial's network, giving logits."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(.5), nn.Linear(512, 256), nn.ReLU(),
        nn.Dropout(.5), nn.Linear(256, 10))


def train(arrays, batch_size, num_epochs, device, graph):
    """Seconds of each epoch, validation and test accuracy; `arrays` lie on the device."""
    torch.manual_seed(1)
    network = build_network().to(device)
    for name, parameter in network.named_parameters():  # Lasagne's initial weights
        nn.init.xavier_uniform_(parameter) if name.endswith("weight") else nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(network.parameters(), lr=.01, momentum=.9, nesterov=True)
    cross_entropy = nn.CrossEntropyLoss()
    X_train, y_train, X_val, y_val, X_test, y_test = arrays
    inputs, targets = X_train[:batch_size].clone(), y_train[:batch_size].clone()

    def step():
        loss = cross_entropy(network(inputs), targets)
        loss.backward()
        optimizer.step()
        # kept as they are, not set to None: a graph writes to the same memory every time
        optimizer.zero_grad(set_to_none=False)

    def accuracy(images, labels):
        network.eval()
        with torch.no_grad():
            hits = sum((network(images[i:i + batch_size]).argmax(1) == labels[i:i + batch_size])
                       .sum() for i in range(0, len(images), batch_size))
        network.train()
        return hits.item() / len(images)

    run = step
    if graph:
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
        with torch.no_grad():  # the warm-up does not count
            for parameter, value in zip(network.parameters(), before):
                parameter.copy_(value)
                optimizer.state[parameter]["momentum_buffer"].zero_()
        run = captured.replay

    seconds = []
    for _ in range(num_epochs):
        start = time.perf_counter()
        order = torch.randperm(len(X_train), device=device)
        for i in range(0, len(X_train) - batch_size + 1, batch_size):
            batch = order[i:i + batch_size]
            inputs.copy_(X_train[batch])
            targets.copy_(y_train[batch])
            run()
        validation = accuracy(X_val, y_val)  # waits for the GPU as well
        seconds.append(time.perf_counter() - start)
    return seconds, validation, accuracy(X_test, y_test)


if __name__ == "__main__":
    path, num_epochs, *batch_sizes = sys.argv[1:]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with np.load(path) as file:
        arrays = [torch.from_numpy(file["arr_%d" % i]).to(device) for i in range(6)]
    arrays[1::2] = [labels.long() for labels in arrays[1::2]]
    for graph in (False, True) if device == "cuda" else (False,):
        for batch_size in map(int, batch_sizes):
            what = "PyTorch {}, {}, {}".format(
                torch.__version__, device, "CUDA graph" if graph else "eager")
            print(json.dumps([what, batch_size, *train(arrays, batch_size, int(num_epochs), device,
                                                       graph)]), flush=True)
