"""A dry run downloads nothing."""

import pytest
import torch

from ganlab.data.archives import files


def test_within_without_downloads_there_are_none(tmp_path):
    """Neither ours nor torch's; afterwards both are as before."""
    fetch = torch.hub.download_url_to_file
    with files.without_downloads() as refused:
        with pytest.raises(OSError, match="downloads nothing"):
            files.download(["http://one.invalid/a", "http://two.invalid/a"], tmp_path / "a", None)
        with pytest.raises(OSError, match="downloads nothing"):
            torch.hub.download_url_to_file("http://one.invalid/b", str(tmp_path / "b"))
    urls = {tmp_path / "a": "http://one.invalid/a", tmp_path / "b": "http://one.invalid/b"}
    assert refused == urls
    assert torch.hub.download_url_to_file is fetch
    assert list(tmp_path.iterdir()) == []
