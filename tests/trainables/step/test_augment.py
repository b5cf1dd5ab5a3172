import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as vision

from search_spaces.errors import InputError
from search_spaces.sections.section import MAX_EPOCHS
from search_spaces.sections.trainable import Augment
from trainables.step.augment import _CROP, _FLIP, _MIXUP, _RESIZED_CROP, Draws, augment, resized_crop_draws

SIDE, PAD = 8, 2
ENOUGH = 1e-3  # the seeds are fixed: a p-value below this is a defect, not bad luck


def _as_float(raw):
    return raw.float()


def _augment(spec, raw, labels=None, *, seeds=(0,), step=0, classes=10, normalize=_as_float):
    labels = torch.zeros(raw.shape[:2], dtype=torch.int64) if labels is None else labels
    draws = Draws(spec, seeds, step, raw.shape[1], slice(0, raw.shape[1]))
    return augment(spec, raw, labels, draws=draws, classes=classes, normalize=normalize)


def _images(seeds=1, batch=4, channels=3, height=SIDE, width=SIDE, dtype=torch.uint8):
    draws = torch.Generator().manual_seed(seeds * 100 + batch)
    return torch.randint(1, 256, (seeds, batch, channels, height, width), generator=draws).to(dtype)


def _same_image(count, height=SIDE, width=SIDE):
    """One image so many times, all its pixels distinct and none of them black."""
    pixels = torch.arange(1, 2 * height * width + 1, dtype=torch.uint8).view(2, height, width)
    return pixels.expand(1, count, -1, -1, -1).contiguous(), pixels


def _offsets(cropped):
    """(top, left) of each crop of ``_same_image``, read off its pixel at (3, 3), which no crop by 2 makes black."""
    return np.divmod(cropped[0, :, 0, 3, 3].numpy().astype(int) - 1 - 3 * SIDE - 3 + PAD * (SIDE + 1), SIDE)


def test_without_augmentation_samples_are_only_normalized():
    raw, labels = _images(2), torch.randint(10, (2, 4))
    x, targets = _augment(Augment(), raw, labels, seeds=(3, 4), normalize=lambda r: (r.float() - 7) / 9)
    assert torch.equal(x, (raw.float() - 7) / 9)
    assert targets is labels


def test_resized_crop_alone_leaves_the_samples_that_were_read():
    raw = _images()
    assert torch.equal(_augment(Augment(resized_crop=True), raw)[0], raw.float())


@pytest.mark.parametrize(("height", "width", "pad"), [(SIDE, SIDE, PAD), (5, 9, 1), (4, 3, 5)])
def test_every_crop_and_flip_is_one_of_torchvisions_and_all_of_them_occur(height, width, pad):
    raw, image = _same_image(4000, height, width)
    x, _ = _augment(Augment(crop=pad, flip=True), raw)
    padded = vision.pad(image, [pad])
    corners = [(top, left) for top in range(2 * pad + 1) for left in range(2 * pad + 1)]
    crops = [vision.crop(padded, top, left, height, width) for top, left in corners]
    possible = {c.numpy().tobytes() for c in [*crops, *map(vision.horizontal_flip, crops)]}
    assert {c.numpy().tobytes() for c in x[0].to(torch.uint8)} == possible


def test_the_offsets_of_crops_are_uniform_as_torchvisions():
    raw, image = _same_image(20_000)
    top, left = _offsets(_augment(Augment(crop=PAD), raw)[0])
    side = 2 * PAD + 1
    ours = np.bincount(top * side + left, minlength=side**2)
    assert len(ours) == side**2
    assert stats.chisquare(ours).pvalue > ENOUGH
    torch.manual_seed(0)
    crop = v2.RandomCrop(SIDE, padding=PAD)
    top, left = _offsets(torch.stack([crop(image) for _ in range(3000)])[None])
    theirs = np.bincount(top * side + left, minlength=side**2)
    assert stats.chi2_contingency([ours, theirs]).pvalue > ENOUGH


def test_half_of_the_images_are_flipped_whatever_was_cropped():
    raw, _ = _same_image(20_000)
    flipped = _augment(Augment(flip=True), raw)[0][0, :, 0, 0, 0] != 1
    assert stats.binomtest(int(flipped.sum()), 20_000).pvalue > ENOUGH
    top, left = _offsets(_augment(Augment(crop=PAD), raw)[0])
    for offset in (top, left):
        table = [np.bincount(offset[flipped == side], minlength=2 * PAD + 1) for side in (False, True)]
        assert stats.chi2_contingency(table).pvalue > ENOUGH


def test_adding_a_transformation_keeps_the_draws_of_the_others():
    raw = _images(batch=64)
    cropped = _augment(Augment(crop=PAD), raw)[0]
    both = _augment(Augment(crop=PAD, flip=True), raw)[0]
    flipped = (_augment(Augment(flip=True), raw)[0] != raw).flatten(2).any(2)[..., None, None, None]
    assert torch.equal(both, torch.where(flipped, cropped.flip(-1), cropped))


def test_mean_images_agree_with_torchvisions():
    raw, image = _same_image(20_000)
    ours = _augment(Augment(crop=PAD, flip=True), raw)[0][0]
    torch.manual_seed(0)
    recipe = v2.Compose([v2.RandomCrop(SIDE, padding=PAD), v2.RandomHorizontalFlip()])
    theirs = torch.stack([recipe(image) for _ in range(3000)]).float()
    error = (ours.var(0) / len(ours) + theirs.var(0) / len(theirs)).sqrt()
    assert ((ours.mean(0) - theirs.mean(0)).abs() / error).max() < 4.5  # of 128 pixels


def test_padding_is_black_before_normalization():
    raw = torch.full((1, 500, 3, 4, 4), 200, dtype=torch.uint8)
    x, _ = _augment(Augment(crop=2), raw, normalize=lambda r: (r.float() - 100) / 50)
    assert set(x.unique().tolist()) == {-2.0, 2.0}


def _mixed(alpha, batch, step=0, seeds=(0,)):
    """Mixed images, soft labels, λ and partner of each sample; the labels are distinct, so that they tell."""
    labels = torch.arange(batch).expand(len(seeds), -1)
    raw = _images(len(seeds), batch)
    x, soft = _augment(Augment(mixup=alpha), raw, labels, classes=batch, step=step, seeds=seeds)
    own = soft.diagonal(dim1=1, dim2=2)
    others = soft - torch.diag_embed(own)
    partner = torch.where(others.amax(2) > 0, others.max(2).indices, torch.arange(batch))
    return raw, x, soft, own, partner


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_images_are_mixed_in_the_proportion_of_their_labels(alpha):
    raw, x, soft, own, partner = _mixed(alpha, 50, seeds=(0, 1))
    assert soft.dtype == x.dtype == torch.float32
    torch.testing.assert_close(soft.sum(2), torch.ones(2, 50))
    for s in range(2):
        assert sorted(partner[s].tolist()) == list(range(50))
        share = own[s].view(-1, 1, 1, 1)
        torch.testing.assert_close(x[s], share * raw[s] + (1 - share) * raw[s, partner[s]].float())


def test_mixing_equals_torchvisions_of_the_same_lambda():
    raw, x, soft, own, _ = next(m for m in (_mixed(1.0, 2, step) for step in range(50)) if m[-1][0, 0] == 1)
    theirs, labels = v2.MixUp(num_classes=2), torch.arange(2)
    for i in range(2):
        params = {"labels": labels, "batch_size": 2, "lam": own[0, i].item()}
        torch.testing.assert_close(x[0, i], theirs.transform(raw[0].float(), params)[i])
        torch.testing.assert_close(soft[0, i], theirs.transform(labels, params)[i])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_lambda_is_beta_distributed_as_torchvisions(alpha):
    *_, own, partner = _mixed(alpha, 2000)
    ours = own[0][partner[0] != torch.arange(2000)].double().numpy()
    assert stats.kstest(ours, stats.beta(alpha, alpha).cdf).pvalue > ENOUGH
    torch.manual_seed(0)
    theirs = v2.MixUp(alpha=alpha, num_classes=2)
    assert stats.ks_2samp(ours, [theirs.make_params([])["lam"] for _ in range(2000)]).pvalue > ENOUGH


def test_partners_are_uniform():
    counts = np.zeros((5, 5))
    for step in range(1000):
        counts[np.arange(5), _mixed(1.0, 5, step)[-1][0]] += 1
    assert stats.chisquare(counts, axis=None, ddof=8).pvalue > ENOUGH  # 16 free: rows and columns sum to 1000


def test_mixup_works_on_features_and_keeps_labels_of_samples_that_agree():
    features = torch.randn(2, 6, 20)
    x, soft = _augment(Augment(mixup=1.0), features, torch.full((2, 6), 3), classes=4, seeds=(0, 1))
    assert x.shape == (2, 6, 20)
    assert not torch.equal(x, features)
    torch.testing.assert_close(soft, torch.eye(4)[3].expand(2, 6, 4))


@pytest.mark.parametrize(("key", "value"), [("flip", True), ("crop", 4), ("resized_crop", True)])
def test_flips_and_crops_need_images(key, value):
    with pytest.raises(InputError) as error:
        _augment(Augment(**{key: value}), torch.zeros(1, 6, 20))
    assert str(error.value) == (
        f"trainable.augment.{key} needs images, of shape (channels, height, width), but a sample of this data has the "
        "shape (20,); leave it out, or use data of images."
    )


SPECS = st.builds(Augment, flip=st.booleans(), crop=st.integers(0, 5), mixup=st.sampled_from([0.0, 0.1, 1.0, 100.0]))


@settings(max_examples=60, deadline=None)
@given(
    spec=SPECS,
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4, unique=True),
    step=st.integers(0, 2**40),
    batch=st.integers(1, 7),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from([torch.uint8, torch.float32]),
)
def test_a_seed_sees_the_same_alone_and_beside_others(spec, seeds, step, batch, shape, dtype):
    raw = _images(len(seeds), batch, *shape, dtype=dtype)
    before = raw.clone()
    labels = torch.randint(4, raw.shape[:2])
    x, targets = _augment(spec, raw, labels, seeds=seeds, step=step, classes=4)
    assert x.shape == raw.shape
    assert x.dtype == torch.float32
    assert targets.shape == ((*labels.shape, 4) if spec.mixup else labels.shape)
    assert torch.equal(raw, before)
    for s, seed in enumerate(seeds):
        alone = _augment(spec, raw[s : s + 1], labels[s : s + 1], seeds=[seed], step=step, classes=4)
        assert torch.equal(alone[0][0], x[s])
        assert torch.equal(alone[1][0], targets[s])


@pytest.mark.parametrize("spec", [Augment(flip=True), Augment(crop=2), Augment(mixup=1.0)])
def test_other_seeds_and_steps_draw_otherwise(spec):
    raw = _images(batch=64)
    results = [_augment(spec, raw, seeds=[s], step=n)[0] for s, n in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2**33)]]
    assert not any(torch.equal(a, b) for i, a in enumerate(results) for b in results[:i])
    assert torch.equal(_augment(spec, raw, seeds=[1], step=1)[0], results[3])


def test_no_stream_is_that_of_a_batch_order():
    tags = [_FLIP, _CROP, _MIXUP, _RESIZED_CROP]
    assert len(set(tags)) == 4
    assert min(tags) > MAX_EPOCHS


def test_images_stored_channels_last_are_cropped_and_flipped_alike():
    raw, spec = _images(batch=16), Augment(crop=2, flip=True)
    last = raw[0].to(memory_format=torch.channels_last)[None]
    assert torch.equal(_augment(spec, last)[0], _augment(spec, raw)[0])


def _crop_draws(seeds, step, batch=100):
    return resized_crop_draws(Draws(Augment(), seeds, step, batch, slice(0, batch)))


def test_resized_crop_draws_are_uniform_and_each_seeds_own():
    draws = _crop_draws([5, 6], 7)
    assert (draws.shape, draws.dtype) == ((200, 10, 4), np.float32)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws.ravel(), "uniform").pvalue > ENOUGH
    assert np.array_equal(draws[100:], _crop_draws([6], 7))
    assert not np.array_equal(draws, _crop_draws([5, 6], 8))


@pytest.mark.parametrize("mixup", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [(3,), (3, 4)])
def test_a_part_of_a_batch_is_what_it_is_in_the_whole(mixup, seeds):
    spec, batch, step = Augment(flip=True, crop=2, mixup=mixup), 12, 5
    raw, labels = _images(len(seeds), batch), torch.randint(4, (len(seeds), batch))
    x, targets = _augment(spec, raw, labels, seeds=seeds, step=step, classes=4)
    for start, stop in [(0, 4), (4, 8), (8, 12), (3, 5)]:
        part = slice(start, stop)
        draws = Draws(spec, seeds, step, batch, part)
        assert draws.positions_SM.shape == (len(seeds), (2 if mixup else 1) * (stop - start))
        read = [t[np.arange(len(seeds))[:, None], draws.positions_SM] for t in (raw, labels)]
        share = augment(spec, *read, draws=draws, classes=4, normalize=_as_float)
        assert torch.equal(share[0], x[:, part])
        assert torch.equal(share[1], targets[:, part])
        crops = resized_crop_draws(draws).reshape(len(seeds), -1, 10, 4)[:, : stop - start]
        assert np.array_equal(crops, _crop_draws(seeds, step, batch).reshape(-1, batch, 10, 4)[:, part])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_what_the_cpu_gives_and_the_host_never_waits():
    spec, raw, labels = Augment(flip=True, crop=2, mixup=1.0), _images(2, 64), torch.randint(10, (2, 64))
    x, soft = _augment(spec, raw, labels, seeds=(0, 1))
    on_device = raw.cuda(), labels.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        results = _augment(spec, *on_device, seeds=(0, 1))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(results[0].cpu(), x)
    torch.testing.assert_close(results[1].cpu(), soft)
