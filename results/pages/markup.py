"""Words and numbers of a page, and its templates."""

import math
import re
from collections.abc import Sequence
from functools import cache
from numbers import Integral, Real
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from search_spaces.sections.metric import Metric

ABSENT_SIGN = "–"
RULING_SYMBOLS = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
_FOLDER = Path(__file__).parent
_GREEK = {
    **{"eta": "η", "lam": "λ", "mu": "μ", "kappa": "κ", "sigma_w": "σ_w", "eta*lam": "ηλ"},
    **{"lam_pred": "λ_pred", "lambda_pred": "λ_pred"},
}
# A name, a number, and a value with its interval in a sentence, but not in a path such as axes.eta or in 2026-12-01.
_NAME = re.compile(rf"(?<![\w.\-])({'|'.join(map(re.escape, sorted(_GREEK, key=len, reverse=True)))})(?![\w\-])")
_DECIMAL = r"(?<![\w.\-])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_NUMBER = re.compile(rf"{_DECIMAL}(?![\w.]*\d)(?!\w)")
_ESTIMATE = re.compile(rf"({_DECIMAL}) \[({_DECIMAL}), ({_DECIMAL})\]")
_GROUPED = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,])")
_TO_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_text(value: object) -> str:
    """Return anything as text; a dash for None, NaN and the empty string."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value == "":
        return ABSENT_SIGN
    return str(value)


def format_number(value: object, digits: int = 3) -> str:
    """Return a number with some significant digits: 0.0123, 4 500, 1.5·10⁻⁵. Anything else becomes text."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return format_text(value)
    x = float(value)
    if not math.isfinite(x):
        return {math.inf: "∞", -math.inf: "−∞"}.get(x, ABSENT_SIGN)
    size = abs(x)
    if isinstance(value, Integral) or (100 <= size < 1e6):
        return f"{x:,.0f}".replace(",", "\u202f").replace("-", "−")
    if size and not 1e-3 <= size < 1e6:
        factor, power = f"{x:.{digits - 1}e}".split("e")
        factor = factor.rstrip("0").rstrip(".") if "." in factor else factor
        tens = "10" + str(int(power)).translate(_TO_SUPERSCRIPT)
        return (tens if factor == "1" else f"{factor}·{tens}").replace("-", "−")
    return f"{x:.{digits}g}".replace("-", "−")


def format_accuracy(value: object) -> str:
    """Return an accuracy with four decimals, the resolution of a test set of ten thousand."""
    if isinstance(value, Real) and math.isfinite(float(value)):
        return f"{float(value):.4f}".replace("-", "−")
    return format_text(value)


def format_metric(value: object, metric: Metric) -> str:
    """Return a value of the metric of a sweep: an accuracy with four decimals, anything else with four digits."""
    return format_accuracy(value) if metric.is_accuracy else format_number(value, digits=4)


def format_estimate(value: object, interval: object, digits: int = 3) -> str:
    """Return a value with its interval, all with the same number of decimals: 0.48 [0.44, 0.53].

    Args:
        value: The value.
        interval: Its two ends; anything else gives the value alone.
        digits: Significant digits of the largest of the three.
    """
    low, high = interval if isinstance(interval, Sequence) and len(interval) == 2 else (None, None)
    parts = [float(x) for x in (value, low, high) if isinstance(x, Real) and math.isfinite(float(x))]
    if len(parts) < 3:
        return format_number(value, digits)
    largest = max(abs(x) for x in parts)
    if 1e-3 <= largest < 100:
        decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
        shown = [f"{x:.{decimals}f}".replace("-", "−") for x in parts]
    else:
        shown = [format_number(x, digits) for x in parts]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def format_remark(value: object) -> str:
    """Return a sentence as pages write it, with Greek letters, true signs, and numbers as tables have them.

    Args:
        value: The sentence: ``t* goes as eta*lam to the power -1.056 [-1.14, -0.917]``, where a page has
            ``t* goes as ηλ to the power −1.06 [−1.14, −0.92]``. Anything but text gives an empty one.
    """
    if not isinstance(value, str):
        return ""
    text = value.replace("<=", "≤").replace(">=", "≥")
    text = _NAME.sub(lambda found: _GREEK[found[0]], text)
    text = _ESTIMATE.sub(lambda found: format_estimate(float(found[1]), (float(found[2]), float(found[3]))), text)
    text = _NUMBER.sub(_format_found, text)
    text = _GROUPED.sub(lambda found: found[0].replace(",", "\u202f"), text)
    return re.sub(r"(?<![\w.-])-(?=[\d.])", "−", text)


def _format_found(number: re.Match[str]) -> str:
    """Return a number of a sentence; it stays as it is unless a table would write it with a power of ten."""
    value = float(number[0])
    return format_number(value) if "e" in number[0] or 0 < abs(value) < 1e-3 else number[0]


def badge(ruling: str, words: str) -> Markup:
    """Return a ruling as symbol, words and color; each of them suffices alone.

    Args:
        ruling: pass, fail or inconclusive.
        words: The ruling in words.
    """
    mark = Markup('<span class="mark {}"><span aria-hidden="true">{}</span> {}</span>')
    return mark.format(ruling, RULING_SYMBOLS[ruling], words)


def render(template: Path, **contents: object) -> Markup:
    """Return the HTML of a template, in which every text but ``Markup`` is escaped.

    Args:
        template: The file of the template. It may extend and import those of this folder.
        **contents: Its variables.

    Raises:
        jinja2.UndefinedError: a variable of the template is not given.
    """
    return Markup(_environment(template.parent).get_template(template.name).render(contents))


def render_own(template: str, **contents: object) -> Markup:
    """Return the HTML of a template of this folder, as ``render`` does.

    Args:
        template: Its file name.
        **contents: Its variables.
    """
    return render(_FOLDER / template, **contents)


@cache
def _environment(folder: Path) -> Environment:
    """Return the templates of a folder and of this one. Their function ``source`` puts a file of this one inside."""
    environment = Environment(
        loader=FileSystemLoader([folder, _FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["source"] = lambda name: Markup((_FOLDER / name).read_text(encoding="utf-8").strip())
    return environment
