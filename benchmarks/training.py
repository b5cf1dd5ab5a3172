"""How fast packs train, beside the plain PyTorch loop and beside the machine's own matrix product.

    .venv/bin/python benchmarks/training.py              # what this machine can measure
    .venv/bin/python benchmarks/training.py --only fc64

Each ratio is the median of several rounds, in which the two sides take turns in one process group: on a CPU one process
a core, all busy at the same time, as a sweep runs; on a GPU one process.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from multiprocessing import get_context

import torch
from torch import nn

from search_spaces.points import Point
from search_spaces.recipe import Recipe
from sweeper.backends import available_cpus
from trainables.memory import keep_freed_memory
from trainables.task import task_of
from trainables.train import PackTraining

Step = Callable[[], object]


def recipe_of(width: int) -> Recipe:
    """Fully connected, 512 of scikit-learn's digits, full batch, plain SGD: the default grid's."""
    return Recipe.model_validate(
        {
            "trainable": {
                "model": {"name": "fc", "width": width, "depth": 3},
                "data": {"name": "digits", "train": 512},
                "loss": {"name": "softmax", "scale": "paper"},
            },
            "measure": {"every": {"steps": 1_000_000}},
        }
    )


def points_of(count: int, budget: float = 1e6) -> list[Point]:
    """Points that do not diverge, each with a λ and a seed of its own."""
    return [
        Point(id=f"{i}", eta=0.3, lam=1e-4 * (i + 1), mu=0.0, seed=i % 4, sigma_w=2**0.5, budget=budget)
        for i in range(count)
    ]


def packed_steps(recipe: Recipe, count: int, device: str = "cpu") -> Step:
    """One step of a pack."""
    training = PackTraining(points_of(count), recipe, device)
    return lambda: training._train_step(training._whole_outputs() if training._whole else None)


def solo_step(recipe: Recipe, device: str = "cpu") -> Step:
    """One step of the usual loop: ``nn.Sequential``, ``cross_entropy``, ``torch.optim.SGD``."""
    data, spec = task_of(recipe.trainable).data.to(torch.device(device)), recipe.trainable.model
    x, y = data.normalize(data.train.x), data.train.labels
    widths = [x[0].numel(), *[spec.width] * spec.depth, 10]
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        (nn.functional.cross_entropy(model(x), y) / 20).backward()
        optimizer.step()

    return step


def solo_steps(recipe: Recipe, count: int, device: str = "cpu") -> Step:
    """One step of each of ``count`` networks, one after the other."""
    steps = [solo_step(recipe, device) for _ in range(count)]
    return lambda: [step() for step in steps]


def matrix_product(size: int = 2048, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Step:
    """A large product, 2·size³ FLOP."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def seconds_of(step: Step, least: float, device: str = "cpu") -> float:
    """Mean seconds of a call over at least ``least`` seconds, after a warm-up of a fifth of them."""
    for share in (0.2, 1.0):
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < share * least:
            step()
            calls += 1
        if device != "cpu":
            torch.cuda.synchronize()
    return (time.perf_counter() - start) / calls


def _rounds(makers: tuple[tuple[Callable[..., Step], tuple], ...], rounds: int, least: float, barrier, queue) -> None:
    """In one process a core: the sides take turns, all processes at the same side."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    sides = [make(*arguments) for make, arguments in makers]
    for _ in range(rounds):
        for i, step in enumerate(sides):
            barrier.wait()
            queue.put((i, seconds_of(step, least)))


def side_by_side(*makers: tuple[Callable[..., Step], tuple], rounds: int = 5, least: float = 2.0) -> list[float]:
    """Median seconds of a call of each side, with every core busy."""
    context = get_context("spawn")
    count = available_cpus()
    barrier, queue = context.Barrier(count), context.Queue()
    workers = [context.Process(target=_rounds, args=(makers, rounds, least, barrier, queue)) for _ in range(count)]
    for worker in workers:
        worker.start()
    seconds: list[list[float]] = [[] for _ in makers]
    for _ in range(rounds * len(makers) * count):
        i, value = queue.get()
        seconds[i].append(value)
    for worker in workers:
        worker.join()
    return [statistics.median(values) for values in seconds]


def fc64() -> Iterator[str]:
    """16 networks of 64 units: packed, and one after the other."""
    count, recipe = 16, recipe_of(64)
    packed, solo = side_by_side((packed_steps, (recipe, count)), (solo_steps, (recipe, count)))
    yield f"| packed FC-64 on digits, P = {count}, over {count} solo loops | {solo / packed:.2f} | 1.1 |"
    yield f"|   milliseconds a point and step: packed {packed / count * 1e3:.2f}, solo {solo / count * 1e3:.2f} | | |"


def fc256() -> Iterator[str]:
    """GFLOP/s of the packed step over those of a large matrix product."""
    count, recipe = 2, recipe_of(256)
    flops = _step_flops(recipe) * count
    packed, product = side_by_side((packed_steps, (recipe, count)), (matrix_product, ()))
    speeds = flops / packed, 2 * 2048**3 / product
    yield f"| packed FC-256 step, GFLOP/s over those of a matrix product | {speeds[0] / speeds[1]:.2f} | 0.6 |"
    yield f"|   GFLOP/s of a core: step {speeds[0] / 1e9:.0f}, product {speeds[1] / 1e9:.0f} | | |"


def _step_flops(recipe: Recipe) -> float:
    """FLOP of the matrix products of one point's step; the first layer needs no gradient of its input."""
    spec = recipe.trainable.model
    weights = [64 * spec.width, *[spec.width**2] * (spec.depth - 1), spec.width * 10]
    return 2.0 * 512 * (3 * sum(weights) - weights[0])


def main() -> None:
    """Print a table of ratios."""
    benchmarks = {"fc64": fc64, "fc256": fc256}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=benchmarks, action="append", help="these alone; may be given several times")
    chosen = parser.parse_args().only or list(benchmarks)
    print("| what | ratio | target |\n| --- | ---: | ---: |")
    for name in chosen:
        for line in benchmarks[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
