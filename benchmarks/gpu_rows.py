"""Rows of docs/performance.md that need a GPU, each printed as soon as it is known; variants stand beside them.

python benchmarks/gpu_rows.py [wrn] [fc] [fc64] [sgd] [wrn-pack]      # TRIAL=1: a trial of the script on a CPU
"""

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
import training as bench
from torch import Tensor
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.step.optimizers import PackedSgd

TRIAL = bool(os.environ.get("TRIAL"))
DEVICE = "cpu" if TRIAL else "cuda"
SECONDS = 0.05 if TRIAL else 1.0  # of a measurement
SIZES = bench.Sizes(depth=10, width=1, images=256, batch=16) if TRIAL else bench.Sizes()


def say(*cells: object) -> None:
    """Print a row."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def synchronize() -> None:
    """Wait for the device."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds_of(step: Callable[[], object], warm_up: int = 3, least: float = SECONDS) -> float:
    """Mean seconds of a call, three at least."""
    for _ in range(warm_up):
        step()
    synchronize()
    began, calls = time.perf_counter(), 0
    while calls < 3 or time.perf_counter() - began < least:
        step()
        calls += 1
        if calls % 8 == 0:
            synchronize()
    synchronize()
    return (time.perf_counter() - began) / calls


def attempt(what: str, row: Callable[[], object]) -> None:
    """Print a row; one that fails says so, and leaves the others their turn."""
    try:
        row()
    except Exception as error:
        traceback.print_exc()
        say(what, f"failed: {type(error).__name__}: {str(error)[:200]}")
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


def graphed(step: Callable[[], object]) -> Callable[[], object]:
    """The step as a CUDA graph: all that launches cost is gone."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def channels_first(training: PackTraining) -> None:
    """Give weights and velocities the layout that a module has, which cuDNN turns at each step."""
    network, optimizer = training._network, training._optimizer
    assert isinstance(optimizer, PackedSgd)
    network.parameters = {n: p.detach().contiguous().requires_grad_() for n, p in network.parameters.items()}
    optimizer.velocity = {n: v.contiguous() for n, v in optimizer.velocity.items()}


def write_profile(step: Callable[[], object], name: str) -> None:
    """Write the kernels of two steps into a file of the folder LOGS."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if DEVICE == "cuda" else [])
    with torch_profile(activities=activities) as profiled:
        for _ in range(2):
            step()
        synchronize()
    order = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
    table = profiled.key_averages().table(sort_by=order, row_limit=25, max_name_column_width=60)
    Path(os.environ.get("LOGS", "."), f"profile-{name}.txt").write_text(table, encoding="utf-8")


def wrn() -> None:
    """The wide ResNet in bfloat16, as it is and in variants, beside plain loops."""
    size = 256 if TRIAL else 8192
    rate = 2 * size**3 / seconds_of(bench.matrix_product(size, DEVICE, torch.bfloat16), least=SECONDS / 2)
    say("bfloat16 matrix product, TFLOP/s", f"{rate / 1e12:.4g}")
    flops = 3 * profile(SIZES.recipe()).forward_flops * SIZES.batch

    def variant(name: str, *, compiled: bool = False, search: bool = True, turned: bool = True) -> None:
        began = time.perf_counter()
        training = PackTraining(bench.points_of(1, eta=0.01, mu=0.9), SIZES.recipe(compiled=compiled), DEVICE)
        if not turned:
            channels_first(training)
        step = bench.steps_of(training, search=search)
        seconds = seconds_of(step)
        peak = torch.cuda.max_memory_allocated() / 2**30 if DEVICE == "cuda" else 0.0
        say(
            f"{SIZES.name}, batch {SIZES.batch}, bfloat16, {name}",
            f"{seconds * 1e3:.4g} ms, {SIZES.batch / seconds:.5g} images/s",
            f"{flops / seconds / rate:.3f} of the product",
            f"{peak:.1f} GiB",
            f"ready after {time.perf_counter() - began:.0f} s",
        )
        write_profile(step, "wrn-" + name.replace(", ", "-").replace(" ", "-"))
        if DEVICE == "cuda":
            torch.cuda.reset_peak_memory_stats()

    attempt("as it is", lambda: variant("as it is"))
    attempt("no search", lambda: variant("cuDNN does not search", search=False))
    attempt("first", lambda: variant("weights with channels first", turned=False))
    plain = None if TRIAL else bench.plain_step(SIZES, DEVICE)
    if plain is not None:
        attempt("loop", lambda: say("  plain loop, TF32", f"{seconds_of(lambda: plain('tf32')) * 1e3:.4g} ms"))
    if not TRIAL:  # the compiler of a CPU takes minutes
        attempt("compiled", lambda: variant("compiled", compiled=True))
    if plain is not None:
        slow = lambda: seconds_of(lambda: plain("float32"), warm_up=1, least=0.0)  # noqa: E731
        attempt("loop", lambda: say("  plain loop, float32", f"{slow() * 1e3:.4g} ms"))


def packed_rows(what: str, recipe: bench.Recipe, counts: tuple[int, ...]) -> None:
    """Milliseconds a point and step: packs, packs as CUDA graphs, and the plain loop."""
    for count in counts:

        def row(count: int = count) -> None:
            step = bench.packed_steps(recipe, count, DEVICE)
            say(f"{what}, P = {count}", f"{seconds_of(step) / count * 1e3:.4g} ms a point and step")
            if DEVICE == "cuda":
                graph = seconds_of(graphed(step))
                say("  as a CUDA graph", f"{graph / count * 1e3:.4g} ms a point and step")

        attempt(f"{what}, P = {count}", row)
    attempt(what, lambda: say("  plain loop", f"{seconds_of(bench.solo_step(recipe, DEVICE)) * 1e3:.4g} ms"))


def fc() -> None:
    """The paper's fully connected network on 512 images of 28×28."""
    width = 32 if TRIAL else 2048
    for precision in ("bfloat16", "tf32", "float32"):
        recipe = bench.recipe_of(width, bench.MNIST_LIKE, precision)
        packed_rows(f"FC-{width}, 512 images, {precision}", recipe, (16, 1))


def fc64() -> None:
    """A network so small that a GPU waits for launches most of the time."""
    packed_rows("FC-64 on digits, float32", bench.recipe_of(64), (64, 1))


def sgd() -> None:
    """The optimizer alone, of FC-2048 in a pack of 16: as it is, and as one compiled pass over memory."""
    count, width = 16, 32 if TRIAL else 2048
    training = PackTraining(bench.points_of(count), bench.recipe_of(width, bench.MNIST_LIKE), DEVICE)
    parameters, rates = training._network.parameters, training._rates.advance(0)
    gradients = [torch.randn_like(p, requires_grad=False) * 1e-6 for p in parameters.values()]
    numbers = sum(p.numel() for p in parameters.values())

    def row(what: str, step: Callable[[], object]) -> None:
        seconds = seconds_of(step)
        speed = f"{numbers * 12 / seconds / 1e12:.3g} TB/s of 12 bytes a number"
        say(what, f"{seconds * 1e3:.4g} ms", speed)

    def one_pass(parameters: list[Tensor], gradients: list[Tensor], eta_P: Tensor, decay_P: Tensor) -> None:
        for p, g in zip(parameters, gradients, strict=True):
            shape = -1, *[1] * (p.ndim - 1)
            p.sub_((g + p * decay_P.view(shape)) * eta_P.view(shape))

    row(f"SGD of FC-{width}, P = {count}", lambda: training._optimizer.step(parameters, gradients, *rates))
    if not TRIAL:
        compiled, detached = torch.compile(one_pass), [p.detach() for p in parameters.values()]
        attempt("compiled", lambda: row("  compiled: one pass", lambda: compiled(detached, gradients, *rates)))


def wrn_pack() -> None:
    """Two wide ResNets by vmap (grouped convolutions) over one after the other: three steps, however slow."""
    for count in (1, 2):
        seconds = seconds_of(bench.wrn_steps(SIZES, count, DEVICE), warm_up=1, least=0.0)
        say(f"{SIZES.name}, P = {count}", f"{seconds / count * 1e3:.4g} ms a point and step")


ROWS = {"wrn": wrn, "fc": fc, "fc64": fc64, "sgd": sgd, "wrn-pack": wrn_pack}


def main() -> None:
    """Print the rows that were asked for, all if none were."""
    print("| what | value | | | |\n| --- | --- | --- | --- | --- |", flush=True)
    for name in sys.argv[1:] or ROWS:
        attempt(name, ROWS[name])


if __name__ == "__main__":
    main()
