"""How fast packs train, beside the plain PyTorch loop and beside the machine's own matrix product.

    .venv/bin/python benchmarks/training.py              # what this machine can measure
    .venv/bin/python benchmarks/training.py --only fc64
    .venv/bin/python benchmarks/training.py --only wrn --only fc2048-gpu    # these need a GPU

Each ratio is the median of several rounds, in which the sides take turns: on a CPU in one process a core, all busy at
the same time, as a sweep runs; on a GPU in one process.
"""

import argparse
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context

import torch
from torch import Tensor, nn
from torch.utils import data as torch_data

from search_spaces.points import Point
from search_spaces.recipe import Recipe
from search_spaces.sections.model import WideResNet
from sweeper.backends.capacity import available_cpus
from trainables.data import Dataset
from trainables.memory import keep_freed_memory
from trainables.models import build_model, initial_parameters
from trainables.pack.network import set_float32_precision
from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.task import Task, task_of

Step = Callable[[], object]

DIGITS = {"name": "digits", "train": 512}
MNIST_LIKE = {"name": "teacher", "train": 512, "inputs": 28 * 28, "classes": 10}
SELDOM = {"every": {"steps": 1_000_000}}  # only steps are timed


def recipe_of(width: int, data: dict[str, object] = DIGITS, precision: str = "float32") -> Recipe:
    """Fully connected, 512 samples (scikit-learn's digits), full batch, plain SGD: the default grid's."""
    return Recipe.model_validate(
        {
            "trainable": {
                "model": {"name": "fc", "width": width, "depth": 3},
                "data": data,
                "loss": {"name": "softmax", "scale": "paper"},
                "numerics": {"precision": precision},
            },
            "measure": SELDOM,
        }
    )


def points_of(count: int, eta: float = 0.3, mu: float = 0.0) -> list[Point]:
    """Points that do not diverge, each with a λ and a seed of its own."""
    return [
        Point(id=f"{i}", eta=eta, lam=1e-4 * (i + 1), mu=mu, seed=i % 4, sigma_w=2**0.5, budget=1e6)
        for i in range(count)
    ]


def packed_steps(recipe: Recipe, count: int, device: str = "cpu") -> Step:
    """One step of a pack."""
    return steps_of(PackTraining(points_of(count), recipe, device))


def steps_of(training: PackTraining, *, search: bool = True) -> Step:
    """One step; ``search``: cuDNN times its algorithms for each shape, as it does where a point trains alone."""

    def step() -> None:
        training.set_precision()  # of the process: the other side has set its own
        torch.backends.cudnn.benchmark &= search
        training.step(training.full_batch_outputs())

    return step


def solo_step(recipe: Recipe, device: str = "cpu") -> Step:
    """One step of the usual loop: ``nn.Sequential``, ``cross_entropy``, ``torch.optim.SGD``."""
    low = recipe.trainable.numerics.precision == "bfloat16"
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
        with torch.autocast(device, torch.bfloat16, enabled=low):
            loss = nn.functional.cross_entropy(model(x), y) / 20
        loss.backward()
        optimizer.step()

    return step


def solo_steps(recipe: Recipe, count: int, device: str = "cpu") -> Step:
    """One step of each of ``count`` networks, one after the other."""
    steps = [solo_step(recipe, device) for _ in range(count)]

    def each() -> None:
        set_float32_precision(recipe.trainable.numerics.precision)
        for step in steps:
            step()

    return each


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


@dataclass(frozen=True, slots=True)
class Turns:
    """Where and for how long the sides of a comparison take turns, all in this process."""

    device: str = "cuda"
    rounds: int = 3
    least: float = 1.5
    warm_up: int = 3  # calls: compile, let cuDNN search and the allocator grow

    def seconds(self, *sides: Step) -> list[float]:
        """Median seconds of a call of each side."""
        for step in sides:
            for _ in range(self.warm_up):
                step()
        each = [[seconds_of(step, self.least, self.device) for step in sides] for _ in range(self.rounds)]
        return [statistics.median(values) for values in zip(*each, strict=True)]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The wide ResNet and its data."""

    depth: int = 28
    width: int = 10
    images: int = 50_000
    batch: int = 1024
    workers: int = 8  # of the plain loop: each crops and flips 10,000 images a second

    @property
    def name(self) -> str:
        """As the paper calls it."""
        return f"WRN-{self.depth}-{self.width}"

    def recipe(self, precision: str = "bfloat16", *, compiled: bool = False) -> Recipe:
        """The paper's augmentation: flip, crop and mixup."""
        return Recipe.model_validate(
            {
                "trainable": {
                    "function": f"{__name__}:random_images",
                    "arguments": {"depth": self.depth, "width": self.width, "images": self.images},
                    "init": {"sigma_w": 1.0},
                    "augment": {"flip": True, "crop": 4, "mixup": 1.0},
                    "numerics": {"precision": precision, "compile": compiled},
                    "batch": self.batch,
                },
                "measure": SELDOM,
            }
        )


def random_images(depth: int, width: int, images: int) -> Task:
    """A wide ResNet and colour images of 32×32 random pixels: what they show changes no speed."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (images, 3, 32, 32), dtype=torch.uint8, generator=generator)
    y = torch.randint(10, (images,), generator=generator)
    data = Dataset.from_tensors(x, y, x[:100], y[:100], classes=10, normalize="channel")
    spec = WideResNet(name="wrn", depth=depth, width=width)

    def model() -> nn.Module:
        network = build_model(spec, data.train.shape, 10).to_empty(device="cpu")
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                module.reset_parameters()
        return network

    return Task(model, data)


class _Transformed(torch_data.Dataset[tuple[Tensor, int]]):
    """Images and labels as torchvision's own data sets give them."""

    def __init__(self, x: Tensor, y: Tensor, transform: Callable[[Tensor], Tensor]) -> None:
        self._x, self._y, self._transform = x, y.tolist(), transform

    def __len__(self) -> int:
        return len(self._y)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self._transform(self._x[i]), self._y[i]


def loaded(sizes: Sizes, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end from a ``DataLoader``, cropped and flipped in its workers."""
    from torchvision.transforms import v2

    train = task_of(sizes.recipe().trainable).data.train
    transform = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])
    loader = torch_data.DataLoader(
        _Transformed(train.x, train.labels, transform),
        batch_size=sizes.batch,
        shuffle=True,
        drop_last=True,
        num_workers=sizes.workers,
        persistent_workers=sizes.workers > 0,
        pin_memory=device != "cpu",
    )
    while True:
        yield from loader


def plain_step(sizes: Sizes, device: str) -> Callable[[str], None]:
    """One step, in the precision given, of the loop that a good practitioner writes, without autocast and compiler.

    uint8 images come pinned from workers and are normalized and mixed on the GPU; cuDNN searches its algorithms.
    """
    from torchvision.transforms import v2

    task = task_of(sizes.recipe().trainable)
    model = task.model().to_empty(device=device)
    model.load_state_dict(initial_parameters(model, seed=0, sigma_w=1.0, sigma_b=0.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    mean, std = task.data.mean.to(device), task.data.std.to(device)
    mixup, batches = v2.MixUp(num_classes=10, alpha=1.0), loaded(sizes, device)

    def step(precision: str) -> None:
        set_float32_precision(precision)
        torch.backends.cudnn.benchmark = True
        x, y = (t.to(device, non_blocking=True) for t in next(batches))
        x, y = mixup((x.float() - mean) / std, y)
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def wrn_steps(sizes: Sizes, count: int, device: str, *, compiled: bool = False, search: bool = True) -> Step:
    """One step of a pack of wide ResNets in bfloat16, with momentum."""
    recipe = sizes.recipe(compiled=compiled)
    return steps_of(PackTraining(points_of(count, eta=0.01, mu=0.9), recipe, device), search=search)


VARIANTS = {"eager": {}, "eager, cuDNN does not search": {"search": False}, "compiled": {"compiled": True}}


def wrn(
    turns: Turns = Turns(),
    sizes: Sizes = Sizes(),
    variants: dict[str, dict[str, bool]] = VARIANTS,
    product: int = 8192,
) -> Iterator[str]:
    """Images a second over those of the plain loop, and the share of the machine's matrix product."""
    plain = plain_step(sizes, turns.device)
    times = turns.seconds(
        lambda: plain("float32"),
        lambda: plain("tf32"),
        matrix_product(product, turns.device, torch.bfloat16),
        *[wrn_steps(sizes, 1, turns.device, **options) for options in variants.values()],
    )
    float32, tf32, multiply, *ours = times
    flops, rate = 3 * profile(sizes.recipe()).forward_flops * sizes.batch, 2 * product**3 / multiply
    for name, seconds in zip(variants, ours, strict=True):
        what = f"{sizes.name}, batch {sizes.batch}, bfloat16 {name}"
        yield f"| {what}, over a float32 loop | {float32 / seconds:.2f} | 4 |"
        yield f"|   over a TF32 loop | {tf32 / seconds:.2f} | |"
        yield f"|   model FLOP/s over those of a bfloat16 matrix product | {flops / seconds / rate:.3g} | 0.45 |"
    each = {"float32 loop": float32, "TF32 loop": tf32} | dict(zip(variants, ours, strict=True))
    speeds = "; ".join(f"{name} {sizes.batch / seconds:.4g}" for name, seconds in each.items())
    yield f"|   images/s: {speeds}; product {rate / 1e12:.3g} TFLOP/s | | |"


def wrn_pack(turns: Turns = Turns(), sizes: Sizes = Sizes(), count: int = 2) -> Iterator[str]:
    """Whether large convolutions gain by being packed."""
    together, alone = turns.seconds(*[wrn_steps(sizes, n, turns.device) for n in (count, 1)])
    ratio = count * alone / together
    yield f"| {sizes.name}, batch {sizes.batch}, bfloat16, P = {count}, over one after the other | {ratio:.2f} | |"


def packed_over_solo(what: str, recipe: Recipe, count: int, turns: Turns, target: str = "") -> Iterator[str]:
    """Point-steps a second of a pack over those of plain loops, one after the other, on the same device."""
    packed, solo = turns.seconds(*[make(recipe, count, turns.device) for make in (packed_steps, solo_steps)])
    yield f"| {what}, P = {count}, over {count} solo loops | {solo / packed:.2f} | {target} |"
    yield f"|   milliseconds a point and step: packed {packed / count * 1e3:.3g}, solo {solo / count * 1e3:.3g} | | |"


def fc2048_gpu(turns: Turns = Turns(), width: int = 2048, count: int = 16) -> Iterator[str]:
    """The paper's network; both sides in one precision."""
    for precision in ("float32", "tf32", "bfloat16"):
        what = f"packed FC-{width} on 512 images of 28×28, {precision}"
        yield from packed_over_solo(what, recipe_of(width, MNIST_LIKE, precision), count, turns, target="3")


def fc64_gpu(turns: Turns = Turns(), count: int = 64) -> Iterator[str]:
    """A network so small that a GPU waits for the next call most of the time."""
    yield from packed_over_solo("packed FC-64 on digits, GPU", recipe_of(64), count, turns)


ON_CPU = {"fc64": fc64, "fc256": fc256}
ON_GPU = {"wrn": wrn, "wrn-pack": wrn_pack, "fc2048-gpu": fc2048_gpu, "fc64-gpu": fc64_gpu}


def rows_of(name: str) -> Iterator[str]:
    """The rows of one benchmark; one that fails says so and leaves the others their turn."""
    try:
        yield from (ON_CPU | ON_GPU)[name]()
    except Exception as error:
        traceback.print_exc()
        yield f"| {name} | failed: {type(error).__name__} | |"
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*ON_CPU, *ON_GPU]
    parser.add_argument("--only", choices=names, action="append", help="these alone; may be given several times")
    chosen = parser.parse_args().only or names
    missing = [] if torch.cuda.is_available() else [name for name in chosen if name in ON_GPU]
    print("| what | ratio | target |\n| --- | ---: | ---: |")
    failed = False
    for name in chosen:
        for line in rows_of(name) if name not in missing else ():
            failed |= "| failed: " in line
            print(line, flush=True)
    if missing:
        print(f"\nNot measured, since they need a GPU: {', '.join(missing)}.")
    sys.exit(failed)


if __name__ == "__main__":
    main()
