import pytest
import torch

from search_spaces.points import Point
from trainables.pack.network import Draw
from trainables.pack.training import PackTraining
from trainables.pack_limits import MAX_GPU_POINTS
from trainables.profile import profile

NETWORKS = {
    "matrices": {"name": "fc", "width": 512},
    "tiny": {"name": "cnn", "channels": 4, "dense": 8, "pool": 2},
    "large": {"name": "cnn", "channels": 512, "dense": 8, "pool": 2},
}


@pytest.mark.parametrize(("name", "limit"), [("matrices", MAX_GPU_POINTS), ("tiny", MAX_GPU_POINTS), ("large", None)])
def test_on_a_gpu_large_convolutions_share_a_pack_up_to_some_arithmetic(make_recipe, name, limit):
    cost = profile(make_recipe({"trainable.model": NETWORKS[name], "trainable.batch": 32}))
    assert cost.gpu_pack_limit == (limit or int(2e11 / cost.step_flops))
    parts = profile(make_recipe({"trainable.model": NETWORKS[name], "trainable.batch": 32, "trainable.micro_batch": 8}))
    assert parts.gpu_pack_limit == (limit or int(2e11 / (cost.step_flops / 4)))


def test_convolutions_larger_than_that_train_alone_on_a_gpu(make_recipe):
    wide = {"name": "wrn", "depth": 28, "width": 10}
    assert profile(make_recipe({"trainable.model": wide})).gpu_pack_limit == 1


@pytest.mark.parametrize("name", ["tiny", "large"])
def test_in_bfloat16_only_matrices_share_a_pack(make_recipe, name):
    low = {"trainable.numerics.precision": "bfloat16"}
    cost, matrices = (profile(make_recipe({"trainable.model": NETWORKS[n]} | low)) for n in (name, "matrices"))
    assert (cost.pack_limit, cost.gpu_pack_limit) == (1, 1)
    assert matrices.pack_limit > 1
    assert matrices.gpu_pack_limit == MAX_GPU_POINTS


@pytest.mark.parametrize("name", ["matrices", "large"])
def test_activations_in_bfloat16_take_half_of_the_memory(make_recipe, name):
    model = {"trainable.model": NETWORKS[name], "trainable.batch": 32}
    full, low = (profile(make_recipe(model | {"trainable.numerics.precision": p})) for p in ("float32", "bfloat16"))
    activations = full.point_bytes - 16 * full.parameters
    assert low.point_bytes - 18 * low.parameters == activations // 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("width", [1, 8])
def test_the_memory_of_a_point_is_what_torch_keeps_for_its_backward_pass(make_recipe, width, precision):
    """A small wide ResNet shares a pack by vmap in float32, a wide one and those in bfloat16 train alone."""
    trainable = {"model": {"name": "wrn", "depth": 10, "width": width}, "data.train": 512, "batch": 512}
    changes = {f"trainable.{key}": value for key, value in trainable.items()}
    recipe = make_recipe(changes | {"trainable.numerics.precision": precision})
    cost, kept = profile(recipe), {}
    count = min(2, cost.gpu_pack_limit)
    assert count == (2 if (width, precision) == (1, "float32") else 1)
    points = [Point(id=f"{i}", eta=0.1, lam=0.0, mu=0.9, seed=0, sigma_w=1.0, budget=1.0) for i in range(count)]
    training = PackTraining(points, recipe)
    weights = {p.untyped_storage().data_ptr() for p in training._network.parameters.values()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = training._network.train_outputs(torch.randn(512, 1, 8, 8), Draw(0, 0), shared=True)
    assert outputs.isfinite().all()
    held = sum(kept.values()) / count + 16 * cost.parameters
    assert held < cost.point_bytes < 1.6 * held
