import os
import resource
import sys

import pytest
import torch

from trainables.memory import join_gpu_memory, keep_freed_memory


def test_buffers_of_the_size_of_activations_are_not_faulted_in_again():
    keep_freed_memory()

    def faults(steps):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(steps):
            torch.empty(400_000).fill_(1.0)  # 1.6 MB, 391 pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults(5)
    assert faults(100) < 391 * 10


@pytest.mark.skipif(sys.platform != "linux", reason="torch has it on Linux alone")
@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_pieces_of_a_gpus_memory_are_joined_unless_the_user_has_set_its_allocator(monkeypatch, name):
    names = "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"
    for other in names:
        monkeypatch.setenv(other, "")  # so that it is restored
        monkeypatch.delenv(other)
    join_gpu_memory()
    assert [os.environ.get(other) for other in names] == ["expandable_segments:True", None]
    monkeypatch.delenv(names[0])
    monkeypatch.setenv(name, "max_split_size_mb:64")
    join_gpu_memory()
    assert {other: os.environ[other] for other in names if other in os.environ} == {name: "max_split_size_mb:64"}
