"""The memory of every metric is bounded by a setting, which does not change the scores."""

import pytest
from helpers.memory import scoring
from helpers.memory.peak import SLACK, peak_growth

MIB = 2**20
TINY = 2**16  # less than most metrics need for one sample: everything is done one by one
DIGITS = {  # metrics of digits10k_test_mnist, with settings for 150 samples
    "frechet_distance": {},
    "kernel_distance": {"subset_size": 40, "subsets": 2},
    "inception_score": {},
    "precision_recall": {},
    "density_coverage": {},
    "class_shares": {},
    "sliced_wasserstein": {"patches": 8, "directions": 32},
    "ms_ssim": {"pairs": 20},
    "pairwise_distance": {"pairs": 100},
    "bins": {"bins": 5},
    "nearest": {"queries": 100},
    "memorization": {"threshold": 1.0},
}
LABELLED = {
    "class_frechet_distance": {},
    "label_consistency": {},
    "train_on_synthetic": {"steps": 3},
}
POINTS = {"modes": {}, "sliced_wasserstein": {}, "pairwise_distance": {"pairs": 100}}
PAIRS = ("psnr", "ssim", "edge_sharpness", "lpips", "segmentation")

CASES = [  # protocol, metric, shape of a sample, settings for 150 samples
    *(("digits10k_test_mnist", name, [1, 28, 28], DIGITS[name]) for name in DIGITS),
    *(("labels10k_test_mnist", name, [1, 28, 28], LABELLED[name]) for name in LABELLED),
    *(("points10k_test", name, [2], POINTS[name]) for name in POINTS),
    ("stacked_mnist26k", "modes", [3, 28, 28], {}),
]


def values(scores):
    return {name: score.value for name, score in scores.items()}


@pytest.mark.filterwarnings("ignore:metrics_memory")
@pytest.mark.parametrize(("protocol", "metric", "shape", "settings"), CASES)
def test_the_setting_does_not_change_scores_of_samples(protocol, metric, shape, settings):
    small, large = (
        values(scoring.samples(protocol, metric, shape, 150, memory, settings)())
        for memory in (TINY, 512 * MIB)
    )
    assert small == pytest.approx(large, rel=1e-4, abs=1e-5)


@pytest.mark.filterwarnings("ignore:metrics_memory")
@pytest.mark.parametrize("metric", PAIRS)
def test_the_setting_does_not_change_scores_of_pairs(metric):
    small, large = (values(scoring.pairs(metric, 64, 7, memory)()) for memory in (TINY, 512 * MIB))
    assert small == pytest.approx(large, rel=1e-5)


@pytest.mark.filterwarnings("ignore:metrics_memory")
@pytest.mark.parametrize(
    ("metric", "settings"), [("path_length", {"pairs": 100}), ("linear_probe", {"samples": 100})]
)
def test_the_setting_does_not_change_scores_of_the_model(metric, settings):
    small, large = (
        values(scoring.model(metric, 200, memory, settings)()) for memory in (4 * MIB, 512 * MIB)
    )
    assert small == pytest.approx(large, rel=1e-3)


# --- peaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("pairs", ["ssim", 256, 24]),  # 1.2 GB if all pairs are compared at once
        pytest.param("wide", [12_000], marks=pytest.mark.contract),  # keeps 390 MB of features
    ],
)
def test_the_peak_stays_below_the_setting(kind, arguments):
    growth = peak_growth(getattr(scoring, kind), *arguments, 32 * MIB)
    assert growth <= 32 * MIB + SLACK


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        *(("pairs", [metric, 1024, 50]) for metric in PAIRS),
        *(("pairs", [metric, 256, 2000]) for metric in PAIRS),
        *(("samples", [protocol, metric, shape, 100_000]) for protocol, metric, shape, _ in CASES),
        ("samples", ["stacked_mnist26k", "modes", [3, 28, 28], 260_000]),
        ("model", ["path_length", 100_000]),
        ("model", ["linear_probe", 100_000]),
        ("inception", [1000]),
    ],
)
def test_ten_times_the_samples_of_the_shipped_protocols(kind, arguments):
    growth = peak_growth(getattr(scoring, kind), *arguments, 512 * MIB, timeout=3600)
    print(f"{kind} {arguments}: {growth / MIB:.0f} MiB")
    assert growth <= 512 * MIB + SLACK
