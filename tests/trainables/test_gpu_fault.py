import pytest
import torch

from trainables.gpu_fault import GpuFaultError, raise_gpu_fault

FAULTS = [
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: unspecified launch failure",
    "CUDA error: uncorrectable ECC error encountered",
    "CUDA error: device-side assert triggered",
]


@pytest.mark.parametrize("words", FAULTS)
@pytest.mark.parametrize("kind", [RuntimeError, torch.AcceleratorError])
def test_a_fault_of_the_gpu_is_raised_as_one(kind, words):
    error = kind(words)
    with pytest.raises(GpuFaultError, match=words) as fault:
        raise_gpu_fault(error)
    assert fault.value.__cause__ is error
    with pytest.raises(GpuFaultError) as again:
        raise_gpu_fault(fault.value)
    assert again.value is fault.value


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: out of memory"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("CUDA error: of a user's own making"),
    ],
)
def test_other_errors_are_left_to_the_caller(error):
    raise_gpu_fault(error)
