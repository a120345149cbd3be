"""Train a network in PyTorch by a recipe: eager, and as a CUDA graph where there is a GPU.

`mnist_cnn.benchmarks.processes.run_torch` runs this program with any Python that has PyTorch. For each
training it prints a JSON object: what, batch_size, seconds of each epoch, training_seconds (without
validation), validation and test (accuracies).
"""

import argparse
import importlib.util
import json
import math
import sys
import time
from pathlib import Path

import numpy as np

try:
    import torch
    from torch import nn
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
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


def rate_at(recipe, epoch):
    """The learning rate after a number of epochs."""
    rate, warm_up, num_epochs = recipe["learning_rate"], recipe["warm_up"], recipe["num_epochs"]
    if epoch < warm_up:
        return rate * epoch / warm_up
    if recipe["schedule"] == "constant":
        return rate
    return rate / 2 * (1 + math.cos(math.pi * (epoch - warm_up) / (num_epochs - warm_up)))


def move_pixels(images, factors, fields):
    """The package's `move_pixels`, by PyTorch's `grid_sample`."""
    count, (height, width) = factors.shape[1], images.shape[2:]
    y, x = torch.from_numpy(factors @ fields).reshape(2, count, height, width)
    y = (y + torch.arange(height)[:, None]) * (2 / (height - 1)) - 1
    x = (x + torch.arange(width)) * (2 / (width - 1)) - 1
    moved = nn.functional.grid_sample(images[:count], torch.stack([x, y], dim=-1), align_corners=True)
    return torch.cat([moved, images[count:]])


def build_distortions(share, size):
    """The distortions of the package, whose module needs NumPy alone; None for no share."""
    if not share:
        return None
    path = Path(__file__).resolve().parents[2] / "training" / "distortions.py"
    spec = importlib.util.spec_from_file_location("distortions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.distortions(share=share, size=tuple(size), move=move_pixels, **module.DISTORTIONS)


def one_pass(losses, skip_easy):
    """The examples of a pass over the data, in random order, without a share of the easy ones."""
    order = torch.randperm(len(losses), device=losses.device)
    known = losses >= 0
    if not skip_easy or not known.any():
        return order
    easy = known & (losses < losses[known].mean())
    return order[~easy[order] | (torch.rand(len(order), device=losses.device) >= skip_easy)]


def batches(losses, skip_easy, batch_size):
    """An epoch's batches, as numbers of examples."""
    order = one_pass(losses, skip_easy)
    for _ in range(len(losses) // batch_size):
        while len(order) < batch_size:
            order = torch.cat([order, one_pass(losses, skip_easy)])
        batch, order = order[:batch_size], order[batch_size:]
        yield batch


def train(layers, arrays, recipe, device, graph=False, channels_last=False):
    """Train and return the object to print; `arrays` are on the device."""
    torch.manual_seed(recipe["seed"])
    generator = np.random.default_rng(recipe["seed"])
    order = memory_format(channels_last)
    layers = [(kind, dict(rate=recipe["dropout"]) if kind == "dropout" else settings) for kind, settings in layers]
    network = initialize(build_network(layers), arrays[0].shape[1:]).to(device, memory_format=order)
    optimizer = build_optimizer(network)
    optimizer.param_groups[0]["momentum"] = recipe["momentum"]
    cross_entropy = nn.CrossEntropyLoss(reduction="none")
    X_train, y_train, X_val, y_val, X_test, y_test = arrays
    if recipe["all_data"]:
        X_train, y_train = torch.cat([X_train, X_val]), torch.cat([y_train, y_val])
    batch_size, skip_easy = recipe["batch_size"], recipe["skip_easy"]
    measured = network
    if recipe["ema"]:
        decay = 1 - 1 / max(1, recipe["ema"] * (len(X_train) // batch_size))
        measured = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))
    augment = build_distortions(recipe["distorted"], X_train.shape[2:])
    losses = torch.full((len(X_train),), -1.0, device=device)
    inputs = X_train[:batch_size].clone(memory_format=order)
    targets = y_train[:batch_size].clone()

    def step():
        each = cross_entropy(network(inputs), targets)
        each.mean().backward()
        optimizer.step()
        # a graph writes to the same memory every time
        optimizer.zero_grad(set_to_none=not graph)
        return each

    def accuracy(images, labels):
        measured.eval()
        with torch.inference_mode():
            hits = sum(
                (measured(images[i : i + batch_size]).argmax(1) == labels[i : i + batch_size]).sum()
                for i in range(0, len(images), batch_size)
            )
        measured.train()
        return hits.item() / len(images)  # waits for the GPU as well

    run = as_graph(step, network, optimizer) if graph else step
    seconds, training_seconds = [], []
    steps = len(X_train) // batch_size
    for epoch in range(recipe["num_epochs"]):
        start = time.perf_counter()
        share = skip_easy if epoch + 1 < recipe["num_epochs"] else 0
        for number, batch in enumerate(batches(losses, share, batch_size)):
            images = X_train[batch]
            inputs.copy_(augment(images, generator) if augment else images)
            targets.copy_(y_train[batch])
            optimizer.param_groups[0]["lr"] = rate_at(recipe, epoch + number / steps)
            each = run()
            if skip_easy:
                losses[batch] = each.detach()
            if measured is not network:
                measured.update_parameters(network)
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
    parser.add_argument("recipes", type=json.loads, nargs="+", help="fields of mnist_cnn.training.config, in JSON")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="even where there is a GPU")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not args.cpu else "cpu"
    with np.load(args.dataset) as file:
        arrays = [torch.from_numpy(file["arr_%d" % i]).to(device) for i in range(6)]
    arrays[1::2] = [labels.long() for labels in arrays[1::2]]
    for graph in (False, True) if device == "cuda" else (False,):
        for recipe in args.recipes:
            result = train(args.layers, arrays, recipe, device, graph, args.channels_last)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
