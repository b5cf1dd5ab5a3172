"""The admission of a task: it is tried once in each process, and cached."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock

import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.sections.trainable import OwnTrainable, Trainable
from trainables.admission.builds import (
    Build,
    aliases,
    build,
    check_repeats,
    check_shared_buffers,
    different_data,
    hooks_of,
    same_start,
)
from trainables.admission.held import changed
from trainables.admission.passes import (
    Pass,
    PhaseError,
    Samples,
    Start,
    close,
    outputs_of,
    phase,
    plain_pass,
    trained,
)
from trainables.admission.state import evaluation_changes, repeated_pass
from trainables.admission.together import OTHER_NUMBERS, Member, differs_together, loss_agrees_together
from trainables.data import Dataset
from trainables.models import initial_parameters
from trainables.step.losses import OwnLoss, at_least_float32
from trainables.task import Task, cause_of
from trainables.torch_state import eager, is_compiled, seeded, thread_modes_neutral

TRIAL_SAMPLES = 4  # with two, batch norm would leave only signs, whose gradient is 0 everywhere
LARGE_MODEL_PARAMETERS = 10**8  # a model with more parameters is not tried, and its points train alone
_MODES_TOLERANCE = 1e-5  # relative difference of outputs in training and evaluation mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """How the points of a task train.

    Attributes:
        together: whether points may share a program; otherwise each trains in a module of its own.
        alone_because: why they may not, in words; empty if they may.
        loss_together: whether the loss runs on a pack; otherwise on one point after the other.
        modes_agree: whether training and evaluation mode give the same outputs.
        evaluation_changes: names of the tensors that a pass in evaluation mode changes.
        random: whether the model draws random numbers in training, or may do so.
        notes: what a person should know before training, in sentences.
    """

    together: bool = True
    alone_because: str = ""
    loss_together: bool = True
    modes_agree: bool = True
    evaluation_changes: tuple[str, ...] = ()
    random: bool = False
    notes: tuple[str, ...] = ()


BUILT_IN = Admission()
_MIXED = {"numbers": "numbers", "positions": "labels of positions"}
_ADMISSIONS: dict[object, Admission] = {}
_LOCK = RLock()


def admission_of(trainable: Trainable | OwnTrainable, task: Task) -> Admission:
    """Return how the points of a task train; the first call of a process tries it.

    Models of our own are not tried. A test tries them.

    Args:
        trainable: the grid's ``trainable``.
        task: its task.

    Raises:
        InputError: the task cannot be trained, or a number would be wrong without a word.
    """
    if isinstance(trainable, Trainable):
        return BUILT_IN
    name, mixup = trainable.function, trainable.augment.mixup > 0
    key = name, tuple(sorted(trainable.arguments.items())), trainable.init is None, mixup
    with _LOCK:
        if key not in _ADMISSIONS:
            with explained(trainable, task.data):
                _ADMISSIONS[key] = admit(task, initialized=trainable.init is not None, mixup=mixup)
        return _ADMISSIONS[key]


def forget_admissions() -> None:
    """Try every task anew: a module may have been reloaded."""
    _ADMISSIONS.clear()


@contextmanager
def explained(trainable: Trainable | OwnTrainable, data: Dataset) -> Iterator[None]:
    """Turn a refusal, and any error of the user's code, into one paragraph about the task.

    Args:
        trainable: the grid's ``trainable``. Errors of models of our own stay as they are.
        data: the data of the task.

    Raises:
        InputError: the block refused the user's task, or the user's code raised an error in a ``phase`` of it.
    """
    try:
        yield
    except InputError as error:
        said = str(error)
        if isinstance(trainable, Trainable) or said.startswith("trainable."):
            raise
        raise InputError(f"trainable.function: {trainable.function}: {said}") from error
    except PhaseError as raised:
        if isinstance(trainable, Trainable):
            raise raised.error from None
        name, count = trainable.function, min(TRIAL_SAMPLES, len(data.train))
        raise InputError(
            f"trainable.function: the model, data and loss of {name} do not fit together; {raised.phase}, tried on "
            f"{count} samples of shape {data.train.shape}, raised {cause_of(raised.error)}."
        ) from raised.error


def admit(task: Task, *, initialized: bool = False, mixup: bool = False) -> Admission:
    """Try a task.

    Args:
        task: the task.
        initialized: whether the grid replaces the initialization of the parameters.
        mixup: whether the loss gets soft labels too.

    Raises:
        InputError: the task cannot be trained, or a number would be wrong without a word.
        PhaseError: the user's code raised an error.
    """
    with thread_modes_neutral(), seeded(0):
        first = build(task.model, 0, digested=False)
        _check_loss(task.loss)
        if mixup and (task.data.tokens or task.data.targets != "labels"):
            what = "tokens" if task.data.tokens else f"targets that are {_MIXED[task.data.targets]}"
            raise InputError(f"trainable.augment.mixup is not allowed: {what} cannot be mixed; leave it out.")
        if sum(p.numel() for p in first.module.parameters()) > LARGE_MODEL_PARAMETERS:
            why = "it is large"
            return Admission(together=False, alone_because=why, loss_together=False, modes_agree=False, random=True)
        with eager(first.module):
            return _Trial(task, initialized=initialized, mixup=mixup).run()


def _check_loss(loss: object) -> None:
    if isinstance(loss, nn.Module) and (names := [n for n, p in loss.named_parameters() if p.requires_grad]):
        raise InputError(
            f"the loss {type(loss).__name__} has {names[0]}, a parameter of its own, which would never train. Move it "
            "into the model: training changes the parameters of the model alone."
        )


def _scaled(x: Tensor, scale: float) -> Tensor:
    """Return numbers (...) times ``scale``; tokens stay."""
    return x * scale if x.is_floating_point() else x


class _Trial:
    """The trial of one task."""

    def __init__(self, task: Task, *, initialized: bool, mixup: bool) -> None:
        self._task, self._initialized, self._mixup = task, initialized, mixup
        self._loss = task.objective(together=False)
        count = min(TRIAL_SAMPLES, len(task.data.train))
        self._samples = [self._taken(range(count)), self._taken(range(count)[::-1], scale=0.5)]

    def run(self) -> Admission:
        """Compare builds, then passes, then a pack with its points."""
        one, again, other = (build(self._task.model, seed) for seed in (0, 0, 1))
        check_repeats(one, again, initialized=self._initialized)
        self._check_held(one, again)
        self._prepare(one, again, other)
        done, written = repeated_pass(one.module, self._loss, self._samples, self._task.loss)
        start = Start(one.module).tensors
        moving = [name for name, b in done.buffers.items() if not torch.equal(b, start[name])]
        check_shared_buffers(one, other, moving)
        self._try_highest_class(done.outputs)
        self._check_second_build(one, again, done.outputs)
        evaluated, changing = evaluation_changes(one.module, self._samples[0].x)
        admission = Admission(
            modes_agree=self._modes_agree(one.module),
            evaluation_changes=changing,
            random=bool(done.generators),
            notes=self._notes(one, other),
        )
        moved = done.moved + [name for name, _ in one.module.named_parameters() if name in changing]
        alias = aliases(one.module)  # raises an error for parameters that overlap
        own = [path for path in changed(one.held, other.held) if path not in changed(one.held, again.held)]
        why = self._alone(one, own, moved, done, written) or alias
        why = why or self._differs([one.module, other.module], again.module)
        together = not why and self._loss_together([done.outputs, 2 * evaluated])
        if not why:
            return replace(admission, loss_together=together)
        notes = (*admission.notes, f"The points train one by one, each in a module of its own: {why}.")
        return replace(
            admission, together=False, alone_because=why, loss_together=False, modes_agree=False, notes=notes
        )

    def _taken(self, positions: range, scale: float = 1.0) -> Samples:
        """Return training samples and their labels, the samples times ``scale`` if they are numbers."""
        data, index = self._task.data, torch.tensor(list(positions))
        return Samples(_scaled(data.normalize(data.train.at(index)), scale), data.train.labels[index])

    def _try_highest_class(self, outputs: Tensor) -> None:
        """Give the loss the highest class, which the samples may lack and for which the outputs may be too few."""
        if self._task.data.targets == "numbers":
            return
        labels = torch.full_like(self._samples[0].labels, self._task.data.classes - 1)
        with phase("the loss of the highest class"):
            self._loss.sums(at_least_float32(outputs).unsqueeze(0), labels)

    def _check_held(self, one: Build, again: Build) -> None:
        if different := different_data(one, again):
            raise InputError(
                f"two builds from one seed differ in the attribute {different[0]}, so that a resumed run would differ "
                "too. Only the generators of torch, numpy.random and random are seeded: draw from these."
            )

    def _prepare(self, *builds: Build) -> None:
        """Give the modules the initialization that the grid asks for, as training does."""
        if self._initialized:
            for i, made in enumerate(builds):
                initial = initial_parameters(made.module, seed=i // 2, sigma_w=1.0, sigma_b=0.0)
                with torch.no_grad():
                    for name, p in trained(made.module).items():
                        p.copy_(initial[name])

    def _check_second_build(self, one: Build, again: Build, outputs: Tensor) -> None:
        """Refuse two builds from one seed that differ in an attribute such as a number, if that changes the outputs."""
        different = changed(one.held, again.held)
        if not different:
            return
        start = Start(again.module)
        second = plain_pass(again.module, self._loss, self._samples[0]).outputs
        start.restore()
        if not close({"": second}, {"": outputs}, _MODES_TOLERANCE):
            raise InputError(
                f"two builds from one seed differ in the attribute {different[0]}, so that a resumed run would differ "
                "too."
            )

    def _differs(self, modules: list[nn.Module], structure: nn.Module) -> str:
        """Return how a pack differs from its points, in words; rounding is told apart by float64.

        Args:
            modules: the points' modules.
            structure: a module of the pack's structure.
        """
        samples = self._samples[0]
        members = [self._member(module, samples) for module in modules]
        why = differs_together(structure, self._loss, samples, members)
        if why != OTHER_NUMBERS:
            return why
        samples = Samples(*(t.double() if t.is_floating_point() else t for t in samples))
        try:
            members = [self._member(module.double(), samples) for module in modules]
        except PhaseError:  # the model computes in float32 whatever its weights are
            return why
        return differs_together(structure.double(), self._loss, samples, members) and why

    def _member(self, module: nn.Module, samples: Samples) -> Member:
        """Return a point of a pack with what the plain module computes."""
        start = Start(module)
        done = plain_pass(module, self._loss, samples)
        start.restore()
        evaluated = outputs_of(module, samples.x, training=False)
        start.restore()
        return Member(start.tensors, done, evaluated)

    def _modes_agree(self, module: nn.Module) -> bool:
        """Return whether training and evaluation mode give the same outputs, on small and on large inputs."""
        start = Start(module)

        def outputs(scale: float, *, training: bool) -> Tensor:
            start.restore()
            return outputs_of(module, _scaled(self._samples[0].x, scale), training=training)

        agree = all(
            close({"": outputs(s, training=True)}, {"": outputs(s, training=False)}, _MODES_TOLERANCE)
            for s in (1.0, 100.0)
        )
        start.restore()
        return agree

    def _notes(self, one: Build, other: Build) -> tuple[str, ...]:
        if not self._initialized and same_start(one, other):
            return ("Every seed starts from the same weights: the model does not draw them from torch's generator.",)
        return ()

    def _alone(self, one: Build, own: list[str], moved: list[str], done: Pass, written: list[str]) -> str:
        """Return why points of the task cannot share a program, as far as the plain passes tell; empty if they can.

        Args:
            one: a build.
            own: paths of attributes that depend on the seed.
            moved: names of parameters that a forward pass changes.
            done: a pass of it.
            written: paths of attributes that a pass changes.
        """
        causes: list[Callable[[], str]] = [
            lambda: "it is compiled" if is_compiled(one.module) else "",
            lambda: f"its forward pass changes the parameter {moved[0]}" if moved else "",
            lambda: hooks_of(one.module),
            lambda: f"its forward pass calls {done.hooks[0]} of a tensor" if done.hooks else "",
            lambda: f"it draws random numbers, from {' and '.join(done.generators)}" if done.generators else "",
            lambda: f"its attribute {written[0]} changes in a pass" if written else "",
            lambda: f"its attribute {own[0]} depends on the seed" if own else "",
        ]
        return next((why for cause in causes if (why := cause())), "")

    def _loss_together(self, outputs: list[Tensor]) -> bool:
        """Return whether the loss runs on a pack; losses of sweeper do."""
        if not isinstance(self._loss, OwnLoss):
            return True
        labels = self._samples[0].labels
        targets = [labels]
        if self._mixup:
            soft = torch.nn.functional.one_hot(labels, self._task.data.classes).float()
            targets.append(0.7 * soft + 0.3 * soft.flip(0))
        return loss_agrees_together(self._loss, outputs, targets)
