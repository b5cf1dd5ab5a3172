"""Admission of a user's task: is it trained as torch would train it, together with other points, alone, or not at all?

A pack runs on weights that are handed to the module, and a resumed run on weights that are read from a file. Both are
right only for a model that is a function of its parameters, its buffers and its input. This room tries a task once, on
a few samples, before anything trains. It builds the model more than once, compares every way of training with the plain
module, and refuses by name what would be wrong without a word. Training and files must not leak in.
"""

from trainables.admission.admit import LARGE_MODEL_PARAMETERS as LARGE_MODEL_PARAMETERS
from trainables.admission.admit import TRIAL_SAMPLES as TRIAL_SAMPLES
from trainables.admission.admit import Admission as Admission
from trainables.admission.admit import admission_of as admission_of
from trainables.admission.admit import explained as explained
from trainables.admission.admit import forget_admissions as forget_admissions
from trainables.admission.passes import check_outputs as check_outputs
from trainables.admission.passes import phase as phase
