"""Whether translators learn what their papers say: minutes, so marked slow (`pytest -m slow`)."""

import pytest
from helpers.learned import scores_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_adversary_draws_the_textures_that_l1_leaves_grey(seed, tmp_path):
    """pix2pix's table 1: both together are sharper and better segmented, L1 is nearest."""
    found = {
        objective: scores_of(
            tmp_path / objective,
            "experiment=pix2pix_shapes",
            f"model.objective={objective}",
            f"seed={seed}",
        )
        for objective in ("l1", "l1_gan")
    }
    l1, both = found["l1"], found["l1_gan"]
    for score in ("pixel_accuracy", "class_accuracy", "mean_iou", "edge_sharpness"):
        assert both[score] > l1[score], score
    assert l1["psnr"] > both["psnr"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_cycle_finds_the_hidden_partners(seed, tmp_path):
    """5 dB above the sources as they are, and 3 dB above the same without the cycle."""
    short = ["experiment=cyclegan_shapes", f"seed={seed}"]
    whole = scores_of(tmp_path / "whole", *short)
    without = ["model=without_cycle", "protocol=hidden_pairs"]
    apart = scores_of(tmp_path / "apart", *short, *without)
    for way in ("a_to_b", "b_to_a"):
        assert whole[f"psnr/{way}"] >= whole[f"source_psnr/{way}"] + 5
        assert whole[f"psnr/{way}"] >= apart[f"psnr/{way}"] + 3


def test_translated_digits_are_read_alike(tmp_path):
    scores = scores_of(tmp_path / "run", "experiment=pix2pix_edges2digits")
    assert scores["label_consistency_digits"] >= 0.95
