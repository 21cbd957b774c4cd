import hashlib
import json
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from bundle_runs import REPOSITORY
from monai.bundle import download, download_large_files, load
from monai.networks.nets import SwinUNETR
from zip_runs import python_without_t3d

from t3d.errors import T3DError
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.pack.packages import find_bundles, pack_bundles
from t3d.pack.unpack import unpack_zips
from t3d.pack.verify import verify_packages
from t3d.weights import save_encoder, save_network
from t3d.weights.state_files import read_state

SIZES = {"feature_size": 12, "window_size": 2}
PREPARED = {"spacing": [12.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 64}
LABELS = {"background": 0, "liver": 6}
PRETRAIN = {"embedding_width": 16, "use_text": False, "text_width": 32, "fuse_stride": 16}


def _fine_tuned(trained, folder, **record):
    save_network(trained, folder / "model.pt")
    files = {"model.pt": hashlib.sha256((folder / "model.pt").read_bytes()).hexdigest()}
    record = {"format_version": 1, "files": files, "preprocessing": PREPARED, **record}
    (folder / "model.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Folder with weights of small networks, as the three trainings leave them."""
    torch.manual_seed(3)
    root = tmp_path_factory.mktemp("weights")
    for name in ("t3d_pretrain", "t3d_segmentation", "t3d_classification"):
        (root / name).mkdir()
    network = PretrainNetwork(**SIZES, **PRETRAIN)
    save_network(network, root / "t3d_pretrain" / "model.pt")
    record = {"network": {**SIZES, **PRETRAIN}, "preprocessing": {**PREPARED, "crop_size": 32}}
    save_encoder(network, root / "t3d_pretrain", record=record)
    segmentation = SwinUNETR(in_channels=1, out_channels=2, **SIZES)
    _fine_tuned(segmentation, root / "t3d_segmentation", network=SIZES, labels=LABELS)
    sizes = {**SIZES, "attention_width": 16}
    classifier = VolumeClassifier(num_findings=2, **sizes, crop_size=64)
    _fine_tuned(classifier, root / "t3d_classification", network=sizes, findings=["nodule", "effusion"])
    return root


@pytest.fixture(scope="module")
def served(weights, tmp_path_factory):
    """A folder with the zips and, beside them, their weights, and the URL at which it is served."""
    folder = tmp_path_factory.mktemp("served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    bundles = find_bundles(REPOSITORY / "bundles")
    pack_bundles(bundles, out_dir=folder / "whole", models_root=weights)
    upload = f"{url}/split/large_files/"
    pack_bundles(bundles, out_dir=folder / "split", models_root=weights, large_files_url=upload, large_mib=0.5)
    yield folder, url
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_three_zips_in_one_process_give_their_weights_without_t3d(served, weights, tmp_path):
    folder, _ = served
    unpack_zips(sorted((folder / "whole").glob("*.zip")), tmp_path / "bundles")
    (tmp_path / "elsewhere").mkdir()
    done = python_without_t3d(
        f"""
import sys, torch
from monai.bundle import load
for name in ("t3d_segmentation", "t3d_classification", "t3d_pretrain"):
    expected = torch.load({str(weights)!r} + "/" + name + "/model.pt", weights_only=True)
    found = load(name, bundle_dir={str(tmp_path / "bundles")!r}, workflow_type="inference").state_dict()
    assert found.keys() == expected.keys(), name
    assert all(torch.equal(found[key], expected[key]) for key in expected), name
    assert ("t3d" in sys.modules) == (name != "t3d_segmentation"), name
import t3d
print(t3d.__file__)
""",
        tmp_path / "elsewhere",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(str(tmp_path / "bundles" / "t3d_classification" / "t3d" / "__init__.py"))


def test_monai_downloads_a_zip_and_loads_it(served, weights, tmp_path):
    _, url = served
    name = "t3d_segmentation"
    download(name=name, url=f"{url}/whole/{name}_v0.1.0.zip", bundle_dir=tmp_path, progress=False)
    assert verify_packages([tmp_path / name])
    found = load(name, bundle_dir=tmp_path).state_dict()
    expected = torch.load(weights / name / "model.pt", weights_only=True)
    assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def test_large_weights_are_downloaded_beside_the_zip(served, weights, tmp_path):
    folder, _ = served
    zips = sorted((folder / "split").glob("*.zip"))
    large = sum(path.stat().st_size for path in weights.glob("*/model.pt"))
    assert sum(path.stat().st_size for path in zips) < large / 2
    found = unpack_zips(zips, tmp_path)
    for package in found:
        bundle = tmp_path / package.name
        assert "models/model.pt" in package.to_download and not (bundle / "models" / "model.pt").exists()
        assert verify_packages([bundle])[0].to_download == package.to_download
        with pytest.raises(T3DError, match="download_large_files --bundle_path .*" + bundle.name):
            read_state(bundle / "models" / "model.pt")
        download_large_files(str(bundle))
        source = weights / bundle.name / "model.pt"
        assert (bundle / "models" / "model.pt").read_bytes() == source.read_bytes()
        assert verify_packages([bundle])[0].to_download == ()
    assert "models/encoder.safetensors" in next(package for package in found if "pretrain" in package.name).to_download


def test_other_weights_than_the_named_ones_are_refused(served, tmp_path):
    folder, _ = served
    name = "t3d_classification"
    unpack_zips([folder / "split" / f"{name}_v0.1.0.zip"], tmp_path)
    upload = folder / "split" / "large_files" / f"{name}_v0.1.0" / "models" / "model.pt"
    original = upload.read_bytes()
    upload.write_bytes(original[:-1] + b"x")
    try:
        with pytest.raises(Exception, match="sha256 hash check of downloaded file failed|hash check"):
            download_large_files(str(tmp_path / name))
    finally:
        upload.write_bytes(original)
    assert not (tmp_path / name / "models" / "model.pt").exists()
    # and where they came by another way
    (tmp_path / name / "models" / "model.pt").write_bytes(original[:-1] + b"x")
    with pytest.raises(Exception, match="models/model.pt was changed or is damaged"):
        verify_packages([tmp_path / name])


def test_what_was_trained_in_an_unpacked_bundle_can_be_packed_again(served, tmp_path):
    folder, _ = served
    name = "t3d_segmentation"
    unpack_zips([folder / "whole" / f"{name}_v0.1.0.zip"], tmp_path / "one")
    again = pack_bundles(find_bundles(tmp_path / "one"), out_dir=tmp_path / "two")[0]
    assert zipfile.is_zipfile(again)
    assert again.read_bytes() == (folder / "whole" / again.name).read_bytes()
