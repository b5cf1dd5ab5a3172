import resource

import torch

from trainables.memory import keep_freed_memory


def test_buffers_of_the_size_of_activations_are_not_faulted_in_again():
    keep_freed_memory()

    def faults(steps):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(steps):
            torch.empty(400_000).fill_(1.0)  # 1.6 MB, 391 pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults(5)
    assert faults(100) < 391 * 10
