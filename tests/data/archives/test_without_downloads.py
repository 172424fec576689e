"""Downloads are refused in a dry run."""

import pytest
import torch

from ganlab.data.archives import files


def test_downloads_are_refused_inside_the_block(tmp_path):
    """The downloads of ganlab and torch are refused; afterwards torch's function is restored."""
    torch_download = torch.hub.download_url_to_file
    with files.without_downloads() as refused:
        with pytest.raises(OSError, match="downloads nothing"):
            files.download(["http://one.invalid/a", "http://two.invalid/a"], tmp_path / "a", None)
        with pytest.raises(OSError, match="downloads nothing"):
            torch.hub.download_url_to_file("http://one.invalid/b", str(tmp_path / "b"))
    urls = {tmp_path / "a": "http://one.invalid/a", tmp_path / "b": "http://one.invalid/b"}
    assert refused == urls
    assert torch.hub.download_url_to_file is torch_download
    assert list(tmp_path.iterdir()) == []
