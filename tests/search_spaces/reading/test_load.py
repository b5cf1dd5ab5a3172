# ruff: noqa: E501 - messages stand on one line, as the user reads them
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.cost import Profile
from search_spaces.errors import InputError
from search_spaces.plan import make_plan
from search_spaces.points import MAX_POINTS, count_points, make_points, variants
from search_spaces.reading.load import load_grid, locate
from search_spaces.sections.grid import Budget, Measure
from search_spaces.sections.optimizer import AdamW, AutoL2, Sgd

GRIDS = sorted((Path(__file__).parents[3] / "grids").glob("*.yaml"))


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_grid_of_the_repository_is_planned(path):
    text = path.read_text(encoding="utf-8")
    grid = load_grid(text, path.name)
    points = make_points(grid)
    profile = Profile(
        train=1000,
        test=200,
        batch=1000,
        parameters=10_000,
        decay="all",
        forward_flops=1e4,
        measured=200,
        watched=0,
        pack_limit=16,
    )
    plan = make_plan(points, dict.fromkeys(variants(points), profile), grid.measure, workers=2)
    assert len(plan.points) == len(points) == len({p.id for p in points}) <= count_points(grid)
    assert text.startswith("# "), "a grid opens with its question, set-up, cost and expected result"


def test_sections_and_defaults(digits):
    grid = digits()
    assert grid.name == "digits"
    assert grid.optimizer.name == "sgd"
    assert grid.budget == Budget(rule="inverse_eta_lam", constant=2.0, max=8000.0)
    assert grid.measure == Measure(log=60)
    assert list(grid.axes) == ["eta", "lam"]
    assert len(grid.axes["lam"]) == 10


OWN_FUNCTION = "trainable={function: 'a:b', arguments: {width: 8, deep: true}}"
OWN_LOOP = "trainable={loop: 'a:b', arguments: {width: 8}}"


@pytest.mark.parametrize(
    "settings",
    [
        ["axes.batch=[full, 64]", "axes.mu=[0.9]", "axes.sigma_w=[1e-5, 1]",
         "budget.exceptions=[{eta: 1, lam: 0, epochs: 7}]"],
        ["trainable.model={name: wrn, depth: 16}", "schedule.name=piecewise", "axes.schedule.factor=[0.1, 0.2]"],
        ["trainable.data={name: image_folder, root: x}", "optimizer.name=adamw", "axes.optimizer.beta1=[0, 0.9]"],
        ["l2={auto: {every: 5}}", "axes.lam=[0.1]", "axes.l2.auto.signal=[batch, train]"],
        [OWN_FUNCTION, "axes.arguments.width=[8, 16]", "axes.arguments.deep=[true, false]"],
        [OWN_LOOP, "measure={every: epoch}", "axes.arguments.width=[8, 16]", "axes.mu=[0, 0.9]"],
    ],
)  # fmt: skip
def test_the_grid_as_resolved_is_the_same_grid(digits, settings):
    grid = digits(*settings)
    again = load_grid(yaml.safe_dump(grid.model_dump(mode="json"), sort_keys=False), "grid.yaml")
    assert again == grid
    assert make_points(again) == make_points(grid)


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        pytest.param(["budget.max=500"], lambda g: g.budget.max == 500, id="number"),
        pytest.param(["budget.max = 500"], lambda g: g.budget.max == 500, id="spaces"),
        pytest.param(["budget.zero_lam=9", "budget.max="], lambda g: g.budget.max is None, id="taken-away"),
        pytest.param(["axes.seed=[0,1,2]"], lambda g: g.axes["seed"] == (0, 1, 2), id="new-axis"),
        pytest.param(["axes.model.width=[8]"], lambda g: g.axes["model.width"] == (8,), id="dotted-axis"),
        pytest.param(["axes.lam={log: [1, 4], num: 3}"], lambda g: g.axes["lam"] == (1.0, 2.0, 4.0), id="range"),
        pytest.param(["resources.pack=3"], lambda g: g.resources.pack == 3, id="new-section"),
        pytest.param(["budget.max=1", "budget.max=2"], lambda g: g.budget.max == 2, id="the-last-one-holds"),
        pytest.param(["optimizer.mu=0.9"], lambda g: g.optimizer == Sgd(name="sgd", mu=0.9), id="default-optimizer"),
        pytest.param(
            ["optimizer.beta1=0.8", "optimizer.name=adamw"],
            lambda g: g.optimizer == AdamW(name="adamw", beta1=0.8), id="other-optimizer",
        ),
        pytest.param(["schedule.warmup=0.1"], lambda g: g.schedule.name == "constant", id="default-schedule"),
        pytest.param(["l2.auto.every=5", "axes.lam=[0.1]"], lambda g: g.l2.auto == AutoL2(every=5), id="section-in-a-new-section"),
        pytest.param(["axes.l2.convention=[half]"], lambda g: g.axes["l2.convention"] == ("half",), id="key-of-l2"),
        pytest.param(["axes.model.bias=[true, false]"], lambda g: g.axes["model.bias"] == (True, False), id="boolean"),
        pytest.param(["name=a=b", "name=ab"], lambda g: g.name == "ab", id="equals-sign"),
    ],
)  # fmt: skip
def test_settings(digits, settings, read):
    assert read(digits(*settings))


def test_a_setting_does_not_touch_the_text(digits, digits_text):
    before = digits()
    digits("budget.max=1")
    assert digits() == before == load_grid(digits_text, "digits.yaml")


SETTING = "write KEY=VALUE with a dotted key, as in --set budget.max=500."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([""], f"--set : {SETTING}"),
        (["budget.max"], f"--set budget.max: {SETTING}"),
        (["=5"], f"--set =5: {SETTING}"),
        (["budget..max=5"], f"--set budget..max=5: {SETTING}"),
        ([".=5"], f"--set .=5: {SETTING}"),
        (["name.x=5"], "--set name.x: name is the text 'digits', not a section with keys of its own; set name as a whole."),
        (["axes.eta.log=5"], "--set axes.eta.log: no such axis; did you mean 'eta'? (known: augment.…, batch, data.…, eta, init.…, l2.…, lam, loss.…, micro_batch, model.…, mu, numerics.…, optimizer.…, schedule.…, seed, sigma_w)."),
        (["budget.max="], "digits.yaml, line 11, budget: the axis lam holds 0, where 1/lam has no value; give budget.zero_lam or budget.max in epochs."),
        (["budget.max=-1"], "--set budget.max: -1 is not allowed: it must be a finite number > 0 and <= 10,000,000,000."),
        (["budget.max=[1"], "--set budget.max: not valid YAML: expected ',' or ']', but got '<stream end>' (line 1, column 3)."),
        (["budget.max=*x"], "--set budget.max, line 1: aliases (*x) are not used in grids; write the value out."),
        (["budget.mux=1"], "--set budget.mux: unknown key; did you mean 'max'? (known: constant, exceptions, leave_out, max, rule, zero_lam)."),
        (["axes.eta=[1, 0]"], "--set axes.eta, axes.eta[1]: 0 is not allowed: a learning rate is a finite number > 0."),
        (["axes.eta=1"], "--set axes.eta: 1 is not a list; write [1] for one value."),
        (["optimizer={mu: 0.9}"], "--set optimizer, optimizer.name: is missing; it must be 'sgd', 'adamw' or 'adam'."),
        (["optimizer.beta1=0.9"], "--set optimizer.beta1: unknown key beside 'name: sgd'; known: mu, name, nesterov."),
        (["schedule.factor=0.5"], "--set schedule.factor: unknown key beside 'name: constant'; known: name, warmup."),
        (["optimizer.mu=2", "optimizer={name: rmsprop}"], "--set optimizer, optimizer.name: 'rmsprop' is unknown; known: adam, adamw, sgd."),
        (["axes.optimizer.nesterov=[1]"], "--set axes.optimizer.nesterov: 1 is not allowed: it must be true or false."),
        (["a\x1bb"], f"--set a\\x1bb: {SETTING}"),
    ],
)  # fmt: skip
def test_settings_refused(digits, settings, message):
    with pytest.raises(InputError) as caught:
        digits(*settings)
    assert str(caught.value) == message


def test_all_problems_are_told_at_once_in_one_message(digits):
    with pytest.raises(InputError) as caught:
        digits("name=", "trainable.batch=0", "axes.eta=[]", "axes.zzz=[1]", "measure={log: 0}")
    assert len(str(caught.value).split("\n")) == 5


def test_a_thousand_problems_are_cut(digits):
    with pytest.raises(InputError) as caught:
        digits(f"axes.eta={[-1] * 5000}", f"analysis.budgets={[-1] * 900}")
    lines = str(caught.value).split("\n")
    assert (len(lines), lines[-1]) == (21, "… and more; mend these first.")


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "empty"), ("# nothing\n", "empty"), ("- a\n- b\n", "a list"), ("digits", "the text 'digits'"), ("7", "7")],
)
def test_not_a_grid(text, what):
    with pytest.raises(InputError) as caught:
        load_grid(text, "g.yaml")
    assert str(caught.value) == (
        f"g.yaml: this file is {what}, but a grid is a section with the keys name, trainable, axes, budget, …. "
        "Start from grids/digits.yaml."
    )


def test_the_largest_grid_is_allowed_and_one_more_point_is_not(digits):
    settings = ["axes.eta={log: [0.1, 1], num: 1000}", "axes.lam={log: [0.1, 1], num: 1000}"]
    assert count_points(digits(*settings)) == MAX_POINTS
    with pytest.raises(
        InputError, match=r"2,000,000 points \(1,000 eta × 1,000 lam × 2 seed\) are more than the 1,000,"
    ):
        digits(*settings, "axes.seed=[0, 1]")


def test_an_absurd_grid_is_refused_with_its_count_at_once(digits):
    axes = [f"axes.{name}={{log: [1e-3, 1e3], num: 10000}}" for name in ("eta", "lam", "sigma_w", "init.sigma_b")]
    with pytest.raises(InputError, match=r"10,000,000,000,000,000 points"):
        digits(*axes)


def test_exceptions_lift_the_limits_of_their_points_alone(digits):
    cells = ["axes={eta: [1], lam: [0, 1e-12, 1]}", "budget={rule: inverse_lam, constant: 1}"]
    lift = "budget.exceptions=[{eta: 1, lam: 0, epochs: 5}, {eta: 1, lam: 1e-12, epochs: 5}]"
    assert [p.budget for p in make_points(digits(*cells, lift))] == [5, 5, 1]
    with pytest.raises(InputError, match="the axis lam holds 0"):
        digits(*cells)
    with pytest.raises(InputError, match=r"eta 1 and lam 1e-12 give 1e\+12 epochs"):
        digits(*cells, "budget.zero_lam=5")


@pytest.mark.parametrize("epochs", ["1e10", "4e8", "1e-300"])
def test_extreme_budgets_that_are_allowed(digits, epochs):
    grid = digits(f"budget={{rule: fixed, constant: {epochs}}}")
    assert {p.budget for p in make_points(grid)} == {float(epochs)}


words = st.text(max_size=6) | st.sampled_from(
    [
        "name",
        "trainable",
        "model",
        "axes",
        "eta",
        "lam",
        "log",
        "num",
        "budget",
        "rule",
        "measure",
        "every",
        "fc",
        "full",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, values, max_size=6))
def test_any_file_gives_a_grid_or_an_input_error(data):
    with pytest.raises(InputError):  # a grid by chance would be a wonder
        load_grid(yaml.safe_dump(data, allow_unicode=True), "g.yaml")


KEYS = [
    "name", "trainable", "trainable.model", "trainable.model.name", "trainable.model.width", "trainable.data.train",
    "trainable.loss", "trainable.init", "trainable.init.sigma_w", "trainable.batch", "optimizer", "axes", "axes.eta",
    "axes.lam", "axes.seed", "axes.mu", "axes.batch", "axes.model.width", "axes.data.name", "budget", "budget.rule",
    "budget.constant", "budget.max", "budget.zero_lam", "budget.exceptions", "measure", "measure.every", "measure.log",
    "analysis.tolerance", "analysis.budgets", "resources.pack", "resources.gpus_per_pack", "measure.train",
    "trainable.function", "trainable.loop", "trainable.arguments", "trainable.arguments.x", "trainable.data.name",
    "trainable.data.root", "trainable.data.labels", "trainable.loss.name", "trainable.augment.mixup",
    "trainable.numerics.precision", "optimizer.name", "optimizer.mu", "optimizer.coupled", "schedule",
    "schedule.name", "schedule.at", "schedule.warmup", "l2", "l2.convention", "l2.auto", "l2.auto.every",
    "axes.arguments.x", "axes.optimizer.nesterov", "axes.schedule.warmup", "axes.l2.parameters", "axes.model.bias",
]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(KEYS), values | st.floats(1e-300, 1e300)), max_size=3))
def test_any_value_at_any_key_gives_points_or_an_input_error(digits, changes):
    settings = [f"{key}={yaml.safe_dump(value, allow_unicode=True, default_flow_style=True)}" for key, value in changes]
    try:
        grid = digits(*settings)
    except InputError as error:
        assert str(error).startswith(("digits.yaml", "--set"))  # noqa: PT017 - raising is one of two good ends
    else:
        points = make_points(grid)
        assert len({p.id for p in points}) == len(points) == count_points(grid)
        assert all(0 < p.budget <= 1e10 for p in points)


@given(st.text(max_size=200))
def test_any_text_gives_an_input_error(text):
    with pytest.raises(InputError):
        load_grid(text, "g.yaml")


@given(st.text(max_size=30) | st.text("abn.xs=[]{}:1 ", max_size=20))
def test_any_setting_gives_a_grid_or_an_input_error(digits, setting):
    try:
        digits(setting)
    except InputError as error:
        assert str(error)  # noqa: PT017 - raising is one of two good ends


TEXT = """name: own
trainable:
  model: {name: fc, width: 8, depth: 1}
  data:
    name: digits
axes: {eta: [0.1], lam: [0.1], model.width: [8]}
budget: {rule: fixed, constant: 2}
"""


@pytest.mark.parametrize(
    ("problem", "settings", "located"),
    [
        ("trainable.data.train: 9 is too many.", [], "own.yaml, line 4, trainable.data.train: 9 is too many."),
        ("trainable.data.name: lost.", [], "own.yaml, line 5, trainable.data.name: lost."),
        ("trainable.batch: 9: too many.", [], "own.yaml, line 2, trainable.batch: 9: too many."),
        ("trainable.batch: 9.", ["trainable.batch=9"], "--set trainable.batch: 9."),
        (
            "trainable.model.width: 9.",
            ["trainable.model={name: fc, width: 9}"],
            "--set trainable.model, trainable.model.width: 9.",
        ),
        ("axes.model.width: 8.", [], "own.yaml, line 6, axes.model.width: 8."),
        ("axes.eta[0]: 8.", [], "own.yaml, line 6, axes.eta[0]: 8."),
        ("name: taken.", ["name=mlflow.db"], "--set name: taken."),
        ("resources.labels: none.\nTwo lines.", [], "own.yaml, resources.labels: none.\nTwo lines."),
        ("runs/own: damaged.", [], "runs/own: damaged."),
        ("task: is no function.", [], "task: is no function."),
        ("--budget 3: too long.", [], "--budget 3: too long."),
        ("", [], ""),
    ],
)
def test_an_error_about_a_key_that_was_read_gets_its_place(problem, settings, located):
    assert str(locate(InputError(problem), TEXT, "own.yaml", settings)) == located


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("width=3", "--set width: unknown key; did you mean 'trainable.model.width'? (known: "),
        ("model.width=3", "--set model.width, model: unknown key; did you mean 'trainable.model'? (known: "),
        ("max=3", "--set max: unknown key; did you mean 'budget.max'? (known: "),
        ("gpus_per_pack=1", "--set gpus_per_pack: unknown key; did you mean 'resources.gpus_per_pack'? (known: "),
        ("trainable.momentum=1", "--set trainable.momentum: unknown key; known: "),
        ("optimizer.width=1", "--set optimizer.width: unknown key; did you mean 'trainable.model.width'? (known: "),
        ("zzz=1", "--set zzz: unknown key; known: "),
    ],
)
def test_a_key_of_another_section_is_told_with_its_full_path(setting, said):
    with pytest.raises(InputError) as refused:
        load_grid(TEXT, "own.yaml", [setting])
    assert str(refused.value).startswith(said)
