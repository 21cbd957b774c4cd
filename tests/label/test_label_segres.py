"""A model of the second backbone is served from its record alone, as a model of the first is."""

import json
import socket

import nibabel as nib
import numpy as np
import torch
from bundle_runs import REPOSITORY
from label_app import make_app
from label_server import LabelServer
from own_inference import agreement, own_label_map, served_label_map

from t3d.files import json_bytes, sha256
from t3d.monai_label.install import install_bundle
from t3d.networks.encoders import segmentation_network
from t3d.weights import save_network
from t3d.weights.encoder_record import network_settings
from t3d.weights.record import new_record

BUNDLE = REPOSITORY / "bundles" / "t3d_segmentation"
PREPARED = {"spacing": [12.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 48}


def model_in(folder):
    folder.mkdir()
    torch.manual_seed(0)
    network = segmentation_network("segres", in_channels=1, out_channels=9, feature_size=4)
    save_network(network, folder / "model.pt")
    labels = json.loads((BUNDLE / "configs" / "labels_demo.json").read_text())
    settings = {"network": network_settings(network.state_dict(), {}), "preprocessing": PREPARED, "labels": labels}
    record = new_record("segmentation", files={"model.pt": sha256(folder / "model.pt")}, record=settings)
    (folder / "model.json").write_bytes(json_bytes(record))
    return folder


def test_a_phantom_gets_the_label_map_of_the_bundle(studies, tmp_path):
    app = make_app(tmp_path)
    install_bundle(BUNDLE, app_dir=app, models=model_in(tmp_path / "models"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with LabelServer(app, studies, port, tmp_path / "server.log", "t3d_segmentation") as server:
        status, answer = server.infer("t3d_segmentation", "p0")
    assert status == 200, answer
    served = served_label_map(answer, tmp_path / "out")
    assert agreement(served, own_label_map(app, studies / "p0.nii.gz", tmp_path / "own")) >= 0.999
    assert len(np.unique(served.dataobj)) > 1 and served.shape == nib.load(studies / "p0.nii.gz").shape
