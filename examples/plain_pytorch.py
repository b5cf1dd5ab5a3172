"""Weight decay in a plain PyTorch script: the usual 5e-4, the one that a short probe predicts, and AutoL2.

A network of one's own learns 128 of scikit-learn's digits with torch.optim.SGD, in a loop of one's own. The probe
watches 384 others, the validation images. The accuracies printed are those of the remaining 1,285, the test images,
after the last epoch.

So few images, and He's initialization, make this a set-up in which weight decay matters. With PyTorch's own, smaller
initialization it hardly does here, and the prediction has nothing to gain.
"""

import argparse
import time
from statistics import mean, stdev

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sweeper import AutoL2, Dataset, Task, predict_lambda

LEARNING_RATE, MOMENTUM, BATCH, EPOCHS = 0.05, 0.9, 32, 300


def digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.tensor(images, dtype=torch.float32)[order] / 16, torch.tensor(labels)[order]


def network() -> nn.Module:
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def train(x: Tensor, y: Tensor, seed: int, weight_decay: float, *, auto: bool = False) -> nn.Module:
    """The usual loop; with ``auto``, the two lines of AutoL2 in it."""
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM, weight_decay=weight_decay)
    auto_l2 = AutoL2(optimizer) if auto else None
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH):
            outputs = model(x[batch])
            loss = cross_entropy(outputs, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if auto_l2:
                auto_l2.step(loss, (outputs.argmax(1) != y[batch]).float().mean())
    return model


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


def main(seeds: int) -> None:
    torch.set_num_threads(1)  # for so small a network more cost time
    x, y = digits()
    training, validation, test = slice(128), slice(128, 512), slice(512, None)
    x = (x - x[training].mean()) / x[training].std()

    start = time.perf_counter()
    data = Dataset.from_tensors(x[training], y[training], x[validation], y[validation], classes=10)
    forecast = predict_lambda(Task(network, data), eta=LEARNING_RATE, mu=MOMENTUM, batch=BATCH, budget=EPOCHS)
    print(forecast)
    print(f"The probe took {time.perf_counter() - start:.1f} s.\n")

    print(f"{'weight decay':22} test accuracy, mean and standard deviation of {seeds} seeds")
    for name, weight_decay, auto in (
        ("none", 0.0, False),
        ("5e-4, as often", 5e-4, False),
        (f"predicted, {forecast.lam:.2g}", forecast.lam, False),
        ("AutoL2", 0.0, True),
    ):
        models = [train(x[training], y[training], seed, weight_decay, auto=auto) for seed in range(seeds)]
        found = [accuracy(model, x[test], y[test]) for model in models]
        print(f"{name:22} {mean(found):.2%} ± {stdev(found):.2%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="networks of each kind, at least 2 (default: 5)")
    main(parser.parse_args().seeds)
