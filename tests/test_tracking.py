"""``--tracking mlflow`` of all three bundles: loss, metrics and configuration in MLflow, no report."""

import json

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
from monai.bundle import ConfigWorkflow

mlflow = pytest.importorskip("mlflow")

# module of the runs, settings that make it small, a metric of the validation
BUNDLES = {
    "t3d_pretrain": (pretrain_runs, {}, "tic_accuracy"),
    "t3d_segmentation": (segmentation_runs, {"label_fraction": 0.1}, "val_mean_dice"),
    "t3d_classification": (classification_runs, {}, "val_mean_auroc"),
}


@pytest.mark.parametrize("name", list(BUNDLES))
def test_a_training_is_tracked(name, cohort, tmp_path):
    module, options, metric = BUNDLES[name]
    lists = json.loads((cohort / "datalist.json").read_text())
    if name == "t3d_segmentation":
        lists["validation"] = lists["validation"][:1]
    (cohort / "tracked.json").write_text(json.dumps(lists))
    workflow = ConfigWorkflow(
        config_file=module.config_files("train", "demo"), workflow_type="train", logging_file=False, tracking="mlflow",
        **{**module.places(cohort, tmp_path), **module.TINY, "max_epochs": 1,
           "datalist_file": str(cohort / "tracked.json"), **options},
    )  # fmt: skip
    workflow.initialize()
    workflow.run()

    # not left to MONAI: the default of 1.5 is a folder, which MLflow 3.13 refuses
    uri = f"sqlite:///{tmp_path}/eval/mlruns.db"
    assert workflow.parser.get_parsed_content("tracking_uri") == uri
    client = mlflow.MlflowClient(tracking_uri=uri)
    runs = client.search_runs([client.get_experiment_by_name("monai_experiment").experiment_id])
    steps = sum(len(client.get_metric_history(run.info.run_id, "train_loss")) for run in runs)
    assert steps == workflow.parser.get_parsed_content("train#trainer").state.iteration > 0
    measured = {key: value for run in runs for key, value in run.data.metrics.items()}
    assert metric in measured and "lr_group_0" in measured
    # MONAI finds it as an artifact only where output_dir is an expression, as by default
    assert list((tmp_path / "eval").glob("config_*.json"))

    sentences = [
        sentence.strip().lower().encode()
        for items in lists.values()
        for item in items
        for sentence in item["report"].replace("\n", ". ").split(". ")
        if len(sentence.split()) > 4
    ]
    for path in (tmp_path / "eval").rglob("*"):
        content = path.read_bytes().lower() if path.is_file() else b""
        assert not [sentence for sentence in sentences if sentence in content], path
