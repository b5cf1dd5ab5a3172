"""All exhibits of the gallery, in the order of its pages.

Quotations are from the paper: "v1" is its first version with the supplement, "v2" the later one.
"""

from collections.abc import Mapping

from results.gallery.beyond import BEYOND
from results.gallery.exhibit import Exhibit
from results.gallery.main_figures import MAIN_FIGURES
from results.gallery.supplement import SUPPLEMENT

EXHIBITS: Mapping[str, Exhibit] = {**MAIN_FIGURES, **SUPPLEMENT}  # the paper's
ALL_EXHIBITS: Mapping[str, Exhibit] = {**EXHIBITS, **BEYOND}
