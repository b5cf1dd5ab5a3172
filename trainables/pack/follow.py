"""A process that helps to train a pack: it follows the orders of the leader of its group."""

import io
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import torch

from search_spaces.points import Point
from search_spaces.recipe import Recipe
from trainables.pack.group import PartnerError, TorchGroup
from trainables.pack.training import PackTraining


def follow(group: TorchGroup) -> None:
    """Take the steps and measurements that the leader takes, until it leaves.

    The leader hears of an error of the point's code and judges it. Any other error ends this process, and with it the
    group.

    Raises:
        GroupLostError: a process of the group is gone.
    """
    training: PackTraining

    def begin(points: Sequence[Point], recipe: Recipe, device: str, state: bytes) -> tuple[()]:
        nonlocal training
        training = PackTraining(points, recipe, device, group)
        training.load_state_dict(torch.load(io.BytesIO(state), map_location="cpu", weights_only=True))
        training.set_precision()
        return ()

    for order, *arguments in group.orders():
        with suppress(PartnerError):
            match order:
                case "begin":
                    group.all_reduce(partial(begin, *arguments))
                case "step":
                    training.step()
                case "measure":
                    training.evaluate(*arguments)
