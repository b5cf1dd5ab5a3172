"""Loading of the data set that a grid's ``trainable.data`` names."""

from functools import lru_cache

from search_spaces.errors import InputError
from search_spaces.sections.data import Data, Digits, ImageFolder, Teacher
from trainables.data.dataset import Dataset
from trainables.data.digits import load_digits
from trainables.data.image_folder import load_image_folder
from trainables.data.teacher import load_teacher
from trainables.data.torchvision_sets import load_torchvision


@lru_cache(maxsize=4)
def load_data(spec: Data) -> Dataset:
    """Load the data set of a grid on the CPU; it is cached, because a worker trains many packs on it.

    Raises:
        InputError: the set is missing, is damaged, or cannot give what the grid asks for.
    """
    try:
        return _load(spec)
    except ValueError as error:  # raised by Dataset.from_tensors, here about the user's files
        raise InputError(f"trainable.data: {spec.name} cannot be used: {error}.") from error


def _load(spec: Data) -> Dataset:
    match spec:
        case Digits():
            return load_digits(spec)
        case Teacher():
            return load_teacher(spec)
        case ImageFolder():
            return load_image_folder(spec)
        case _:
            return load_torchvision(spec)
