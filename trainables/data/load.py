"""From a grid's ``trainable.data`` to its samples."""

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
    """Load the data set of a grid on the CPU; kept in memory, since a worker trains many packs on it.

    Raises:
        InputError: a set that is not there, is damaged, or cannot give what is asked.
    """
    try:
        return _load(spec)
    except ValueError as error:  # of Dataset.from_tensors: here the numbers are the user's files
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
