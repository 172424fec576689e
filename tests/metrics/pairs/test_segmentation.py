"""Segmentation accuracy: closed forms of the confusion, and the segmenter that ships."""

import functools

import pytest
import torch
from torch import nn
from torchvision.models.segmentation import fcn_resnet50

from ganlab.data import Shapes
from ganlab.errors import ConfigError, DataError
from ganlab.metrics import PaletteSegmenter, PictureSegmenter, SegmentationAccuracy, ShapeSegmenter
from ganlab.metrics.pairs.palettes import classes_of, palette_named
from ganlab.networks.recognition.segmenter import Segmenter


class PixelClass(nn.Module):
    """A segmenter that reads the class from a pixel's first channel."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, images):
        predicted = (images[:, 0] * 255).round().long()
        return nn.functional.one_hot(predicted, self.classes).permute(0, 3, 1, 2).float()


def tiny_metric(classes=3):
    return SegmentationAccuracy(PictureSegmenter(PixelClass(classes), mean=0.0, std=1.0), classes)


def picture(segments):
    return segments.unsqueeze(1).expand(-1, 3, -1, -1).contiguous()


def scores(predicted, true, classes=3):
    metric = tiny_metric(classes)
    metric.update(picture(predicted), true)
    return [value.item() for value in metric.compute().values()]


def classes_at_random(n=4, size=8, classes=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(classes, (n, size, size), generator=rng, dtype=torch.uint8)


def test_all_right_is_one_and_all_wrong_is_zero():
    true = classes_at_random()
    assert scores(true, true) == pytest.approx([1, 1, 1])
    assert scores((true + 1) % 3, true) == pytest.approx([0, 0, 0])


def test_one_class_everywhere():
    """If a class of share s is found everywhere, pixel accuracy and its IoU are s."""
    true = torch.zeros(1, 4, 10, dtype=torch.uint8)
    true[..., 5:8], true[..., 8:] = 1, 2
    assert scores(torch.zeros_like(true), true) == pytest.approx([0.5, 1 / 3, 0.5 / 3])


def test_a_confusion_matrix_by_hand():
    """6 of 8 pixels of class 0 are classified right, 2 as class 1; all 4 of class 1 are right."""
    true = torch.tensor([[[0] * 8 + [1] * 4]], dtype=torch.uint8)
    predicted = torch.tensor([[[0] * 6 + [1] * 6]], dtype=torch.uint8)
    expected = [10 / 12, (6 / 8 + 1) / 2, (6 / 8 + 4 / 6) / 2]
    assert scores(predicted, true, classes=2) == pytest.approx(expected)


def test_classes_that_no_pixel_has_are_left_out_of_the_means():
    true = torch.zeros(1, 2, 10, dtype=torch.uint8)
    predicted = true.clone()
    predicted[..., 8:] = 2
    assert scores(predicted, true) == pytest.approx([0.8, 0.8, 0.8])


def test_ignored_pixels_do_not_count():
    true, predicted = classes_at_random(), classes_at_random(seed=1)
    expected = scores(predicted[:2], true[:2])
    true[2:] = 255
    assert scores(predicted, true) == pytest.approx(expected)


def test_parts_and_processes_add_up():
    true, predicted = classes_at_random(7), classes_at_random(7, seed=1)
    whole, one, other = tiny_metric(), tiny_metric(), tiny_metric()
    whole.update(picture(predicted), true)
    one.memory = other.memory = 1  # one picture at a time
    one.update(picture(predicted[:3]), true[:3])
    other.update(picture(predicted[3:]), true[3:])
    assert torch.equal(one.confusion + other.confusion, whole.confusion)
    assert whole.confusion.sum() == true.numel()


def test_it_agrees_with_a_count_pixel_by_pixel():
    true, predicted = classes_at_random(2, 5), classes_at_random(2, 5, seed=1)
    metric = tiny_metric()
    metric.update(picture(predicted), true)
    counts = torch.zeros(3, 3, dtype=torch.long)
    for i, j in zip(true.flatten().tolist(), predicted.flatten().tolist(), strict=True):
        counts[i, j] += 1
    assert torch.equal(metric.confusion, counts)


# --- segmenters -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes_of_test():
    return Shapes(samples=1, test_samples=200).test


def test_real_pictures_are_segmented_as_they_were_drawn(shapes_of_test):
    metric = SegmentationAccuracy()
    metric.update(shapes_of_test["target"], shapes_of_test["segments"])
    predicted = metric.compute()
    assert predicted["pixel_accuracy"] > 0.97
    assert predicted["class_accuracy"] > 0.9
    assert predicted["mean_iou"] > 0.85


def test_without_texture_classes_are_not_found(shapes_of_test):
    """If all shapes have their mean colour, as from a blurry L1 model, classes are not found."""
    pictures = shapes_of_test["target"].float()
    shapes = (shapes_of_test["segments"] > 0).unsqueeze(1)
    mean = (pictures * shapes).sum((0, 2, 3)) / shapes.sum()
    grey = torch.where(shapes, mean.view(1, 3, 1, 1), pictures).byte()
    metric = SegmentationAccuracy()
    metric.update(grey, shapes_of_test["segments"])
    assert metric.compute()["class_accuracy"] < 0.45


def test_larger_pictures_are_downsampled_for_the_segmenter():
    rows = Shapes(size=128, samples=1, test_samples=40).test
    metric = SegmentationAccuracy()
    metric.update(rows["target"], rows["segments"])
    assert metric.compute()["pixel_accuracy"] > 0.93


def test_pictures_that_are_too_small_for_the_segmenter_raise():
    rows = Shapes(size=32, samples=1, test_samples=2).test
    with pytest.raises(ConfigError, match="48 × 48 or more"):
        SegmentationAccuracy().update(rows["target"], rows["segments"])


def test_the_segmenter_is_frozen_and_has_a_hash_of_its_weights():
    one, other = ShapeSegmenter(), ShapeSegmenter()
    assert not any(parameter.requires_grad for parameter in one.parameters())
    assert not one.train().training
    assert one.hash == other.hash
    assert len(one.hash) == 16


def test_torchvisions_fcn_with_the_classes_of_cityscapes(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=19)
    torch.save(network.state_dict(), tmp_path / "fcn.pth")
    segmenter = PictureSegmenter(
        fcn_resnet50(weights=None, weights_backbone=None, num_classes=19),
        mean=[0.485, 0.456, 0.406],
        std=[0.229, 0.224, 0.225],
        weights=str(tmp_path / "fcn.pth"),
    )
    metric = SegmentationAccuracy(segmenter, classes=19)
    true = classes_at_random(1, 33, classes=19)
    images = picture(classes_at_random(1, 33, classes=255))
    metric.update(images, true)
    x = (images / 255 - segmenter.mean) / segmenter.std
    with torch.no_grad():
        expected = network.eval()(x)["out"].argmax(1)
    assert metric.compute()["pixel_accuracy"] == pytest.approx((expected == true).double().mean())


def test_a_narrow_u_net_has_its_parameters_and_gives_every_pixel_logits():
    network = Segmenter()
    assert sum(parameter.numel() for parameter in network.parameters()) == 103_686
    assert network.eval()(torch.zeros(2, 3, 32, 48)).shape == (2, 6, 32, 48)
    with pytest.raises(ConfigError, match="multiples of 8"):
        network(torch.zeros(1, 3, 30, 32))


# --- errors ---------------------------------------------------------------------------------------


def test_inputs_that_do_not_fit_raise():
    true = classes_at_random()
    with pytest.raises(ConfigError, match="uint8"):
        tiny_metric().update(picture(true).float(), true)
    with pytest.raises(ConfigError, match="segments of shape"):
        tiny_metric().update(picture(true), true[:, :4])
    with pytest.raises(ConfigError, match=r"class 2; allowed 0 to 1"):
        tiny_metric(2).update(picture(true % 2), true)
    with pytest.raises(ConfigError, match="has 3 classes, but"):
        SegmentationAccuracy(PictureSegmenter(PixelClass(3), 0.0, 1.0), 4).update(
            picture(true), true
        )
    with pytest.raises(ConfigError, match="only ignored pixels"):
        scores(true, torch.full_like(true, 255))


def test_a_module_that_is_not_a_segmenter_raises():
    with pytest.raises(ConfigError, match="Flatten gives"):
        PictureSegmenter(nn.Flatten())(picture(classes_at_random()))
    with pytest.raises(ConfigError, match="Linear fails"):
        PictureSegmenter(nn.Linear(3, 3))(picture(classes_at_random()))


def test_weights_that_are_missing_or_of_another_network_raise(tmp_path):
    with pytest.raises(DataError, match=r"segmenter\.weights.*cannot be read"):
        ShapeSegmenter(str(tmp_path / "none.safetensors"))
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(DataError, match=r"segmenter\.weights.*Conv2d"):
        PictureSegmenter(nn.Conv2d(3, 2, 1), weights=str(tmp_path / "linear.pth"))


def test_classes_of_label_maps_are_those_of_the_nearest_colour():
    """Each colour and similar colours get the class of that colour, or 255 if it is ignored."""
    palette = palette_named("cityscapes")
    colours = torch.tensor([*palette.classes, *palette.ignored], dtype=torch.uint8)
    maps = colours.T.reshape(1, 3, 1, -1)
    expected = torch.tensor([*range(19), *[255] * 10], dtype=torch.uint8).view(1, 1, -1)
    assert torch.equal(classes_of(maps, palette), expected)
    off = maps.int().add(2).clamp(0, 255).to(torch.uint8)
    assert torch.equal(classes_of(off, palette), expected)


@pytest.mark.parametrize("truth", ["sources", "targets"])
def test_label_maps_as_truth(truth):
    """Generated label maps that equal the true label maps score 1; ignored pixels do not count."""
    palette = palette_named("cityscapes")
    rng = torch.Generator().manual_seed(0)
    numbers = torch.randint(0, 29, (2, 6, 6), generator=rng)
    colours = torch.tensor([*palette.classes, *palette.ignored], dtype=torch.uint8)
    maps = colours[numbers].permute(0, 3, 1, 2)
    wrong = colours[(numbers + 1) % 19].permute(0, 3, 1, 2)
    for generated, accuracy in ((maps, 1.0), (wrong, 0.0)):
        metric = SegmentationAccuracy(PaletteSegmenter(), 19, truth, "cityscapes")
        assert metric.inputs == ("samples", truth)
        metric.update(generated, maps)
        assert metric.compute()["pixel_accuracy"] == accuracy
    with pytest.raises(ConfigError, match="Label maps need a palette"):
        SegmentationAccuracy(truth=truth)
    with pytest.raises(ConfigError, match=r"received 'citiscapes'; allowed cityscapes"):
        SegmentationAccuracy(truth=truth, palette="citiscapes")


def test_weights_are_read_only_when_they_are_needed(tmp_path):
    unbuilt = functools.partial(ShapeSegmenter, weights=str(tmp_path / "none.safetensors"))
    metric = SegmentationAccuracy(unbuilt)
    with pytest.raises(DataError, match=r"none\.safetensors cannot be read"):
        metric.load()
