"""zero_shot.json and retrieval.json as a user starts them, and the control "reports shuffled"."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from bundle_runs import finish_here
from monai.bundle import ConfigWorkflow
from pretrain_runs import BUNDLE, command, config_files, infer, places, run

from t3d.data.datalist import load_datalist
from t3d.demo.tiny_bert import tiny_bert
from t3d.errors import T3DError, plain_message
from t3d.study.restoration import restoration_outcomes

KINDS = ("zero_shot", "retrieval")


@pytest.fixture(scope="module", params=[("align", "paper"), ()], ids=["report_head", "sentence_head"])
def trained(request, cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aligned")
    run(("train", "demo", *request.param), cohort, folder, max_epochs=1, temperature=0.2)
    return folder


def apply(kind, cohort, folder, **options):
    workflow = ConfigWorkflow(
        config_file=config_files("inference", kind), workflow_type="inference", logging_file=False,
        **{**places(cohort, folder), "output_dir": str(folder / kind), **options},
    )  # fmt: skip
    workflow.initialize()
    workflow.run()
    return workflow


@pytest.fixture(scope="module")
def results(trained, cohort):
    for kind in KINDS:
        apply(kind, cohort, trained, **({"report_cache_dir": str(trained / "cache")} if kind == "retrieval" else {}))
    return trained


def test_a_study_restores_held_out_crops_with_three_readings(trained, cohort):
    items = load_datalist(cohort / "datalist.json", "test")[:3]
    settings = {"regions": {"organs": [3, 4, 7], "lesions": [16]}, "crops": 2, "corruption": 0.7}
    found = restoration_outcomes(trained / "models", items, settings=settings, cache_dir=trained / "study_cache")
    values = {one.kind: one.values[0, :, 0] for one in found}
    assert len(values) == 3 * 5 and found[0].cases == [item["case_id"] for item in items]
    right, wrong, none = (values[f"error_in_organs{which}"] for which in ("", "_wrong_report", "_no_report"))
    assert np.isfinite(right).all() and (right != wrong).all() and (right != none).all()
    assert values["text_gain_in_organs"] == pytest.approx(wrong - right)


def test_scores_and_metrics_of_every_test_case(results, cohort):
    cases = json.loads((cohort / "datalist.json").read_text())["test"]
    predictions = json.loads((results / "zero_shot" / "predictions.json").read_text())
    assert [one["case_id"] for one in predictions["cases"]] == [case["case_id"] for case in cases]
    assert predictions["findings"] == list(cases[0]["findings"])
    scores = np.array([list(one["scores"].values()) for one in predictions["cases"]])
    assert ((scores > 0) & (scores < 1)).all() and (scores.std(axis=0) > 0).all()
    metrics = json.loads((results / "zero_shot" / "metrics.json").read_text())
    for name, part in metrics["findings"].items():
        assert part["positives"] == sum(case["findings"][name] for case in cases)
    assert metrics["settings"]["temperature"] == 0.2  # as trained, from encoder.json
    assert metrics["settings"]["split"] == "test"


def test_retrieval_in_both_directions(results, cohort):
    cases = json.loads((cohort / "datalist.json").read_text())["test"]
    metrics = json.loads((results / "retrieval" / "metrics.json").read_text())
    assert metrics["report_to_volume"]["candidates"] == len(cases)
    for direction in ("report_to_volume", "volume_to_report"):
        values = [metrics[direction][f"recall@{k}"]["value"] for k in (1, 5, 10)]
        assert values == sorted(values) and metrics[direction]["median_rank"]["value"] >= 1
    assert list((results / "cache").rglob("*.safetensors"))


def test_no_sentence_of_a_report_in_the_results(results, cohort):
    lists = json.loads((cohort / "datalist.json").read_text())
    sentences = {
        sentence.strip().lower().encode()
        for item in lists["test"]
        for sentence in item["report"].replace("\n", ". ").split(". ")
        if len(sentence.split()) > 4
    }
    assert len(sentences) > 20
    files = [path for kind in KINDS for path in (results / kind).iterdir()]
    assert len(files) >= 7
    for path in files:
        content = path.read_bytes().lower()
        assert not [one for one in sentences if one in content], path


@pytest.mark.parametrize("kind", KINDS)
def test_overlays_stay_complete_inference_workflows(kind, trained, cohort):
    workflow = ConfigWorkflow(
        config_file=config_files("inference", kind), workflow_type="inference", logging_file=False,
        **places(cohort, trained),
    )  # fmt: skip
    workflow.initialize()
    assert workflow.check_properties() == []


def test_any_finding_from_a_users_prompts(trained, cohort, tmp_path):
    prompts = {"findings": {"Gallstone": {"positive": ["A gallstone."], "negative": ["No gallstone."]}}}
    (tmp_path / "mine.json").write_text(json.dumps(prompts))
    apply("zero_shot", cohort, trained, output_dir=str(tmp_path / "out"), prompts_file=str(tmp_path / "mine.json"),
          findings=["Gallstone"])  # fmt: skip
    assert json.loads((tmp_path / "out" / "predictions.json").read_text())["findings"] == ["Gallstone"]
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_a_folder_of_volumes_is_scored_without_a_datalist(trained, cohort, tmp_path):
    case = json.loads((cohort / "datalist.json").read_text())["test"][0]
    shutil.copy(cohort / case["image"], tmp_path / "scan.nii.gz")
    apply("zero_shot", tmp_path, trained, output_dir=str(tmp_path / "out"), findings=["hiatal_hernia"])
    scores = json.loads((tmp_path / "out" / "predictions.json").read_text())["cases"]
    assert [one["case_id"] for one in scores] == ["scan"] and list(scores[0]["scores"]) == ["hiatal_hernia"]


def test_unknown_findings_in_a_datalist_do_no_harm(trained, cohort, tmp_path):
    lists = json.loads((cohort / "datalist.json").read_text())
    lists["test"] = lists["test"][:2]
    lists["test"][0]["findings"] = {"lung_nodule": None, "cardiomegaly": 1}
    del lists["test"][1]["findings"], lists["test"][1]["label"]
    file = cohort / "unknown.json"
    file.write_text(json.dumps(lists))
    apply("zero_shot", cohort, trained, datalist_file=str(file), output_dir=str(tmp_path / "out"))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["findings"]["cardiomegaly"]["auroc"]["value"] is None
    assert metrics["findings"]["lung_nodule"]["unknown"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_that_fails_is_named_and_the_others_go_on(kind, trained, cohort, tmp_path):
    lists = json.loads((cohort / "datalist.json").read_text())
    bad = lists["test"][1]
    (cohort / "cut.nii.gz").write_bytes((cohort / bad["image"]).read_bytes()[:3000])
    bad["image"] = "cut.nii.gz"
    (cohort / "cut.json").write_text(json.dumps(lists))
    with pytest.raises((RuntimeError, T3DError)) as caught:
        apply(kind, cohort, trained, datalist_file=str(cohort / "cut.json"), output_dir=str(tmp_path))
    count = len(lists["test"])
    assert f"1 of {count} cases failed" in plain_message(caught.value) and bad["case_id"] in plain_message(
        caught.value
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["cases"] == count - 1
    results = metrics if kind == "retrieval" else json.loads((tmp_path / "predictions.json").read_text())
    assert [one["case_id"] for one in results["failed"]] == [bad["case_id"]]


def test_a_network_without_a_head_for_texts_is_one_plain_line(trained, cohort, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    weights = torch.load(trained / "models" / "model.pt", weights_only=True)
    heads = ("report_head.", "sentence_head.", "volume_head.")
    kept = {name: value for name, value in weights.items() if not name.startswith(heads)}
    assert len(kept) < len(weights)
    torch.save(kept, models / "model.pt")
    record = json.loads((trained / "models" / "encoder.json").read_text())
    record["network"] |= {"use_alignment": False, "use_sentences": False}
    del record["files"]  # these are other weights
    (models / "encoder.json").write_text(json.dumps(record))
    result = finish_here(command(("inference", "zero_shot"), cohort, tmp_path), tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "no head for texts" in result.stderr and "sentence_weight" in result.stderr
    assert not (tmp_path / "eval" / "predictions.json").exists()


def test_a_text_encoder_that_learnt_is_used(cohort, tmp_path):
    run(("train", "demo", "align"), cohort, tmp_path, max_epochs=1, report_cache=False, trained_text_layers=1)
    workflow = apply("retrieval", cohort, tmp_path)
    network = workflow.parser.get_parsed_content("network_def")
    expected = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    assert network.text_encoder is not None
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    assert (tmp_path / "retrieval" / "metrics.json").is_file()


@pytest.fixture(scope="module")
def other_encoder(cohort, tmp_path_factory):
    """As wide as the one of the training, of another seed."""
    reports = [item["report"] for item in json.loads((cohort / "datalist.json").read_text())["training"]]
    return tiny_bert(tmp_path_factory.mktemp("other") / "bert", reports, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_another_text_encoder_of_the_same_width_is_refused(kind, trained, other_encoder, cohort, tmp_path):
    with pytest.raises((RuntimeError, T3DError)) as caught:
        apply(kind, cohort, trained, text_encoder=other_encoder, output_dir=str(tmp_path))
    assert "was trained with the text encoder sha256:" in plain_message(caught.value)
    assert "--text_encoder" in plain_message(caught.value)
    assert not (tmp_path / "metrics.json").exists()


def test_a_sentence_and_an_evaluation_are_not_read_by_another_text_encoder(trained, other_encoder, cohort, tmp_path):
    (tmp_path / "sentence.txt").write_text("There is a right pleural effusion.\n")
    options = {"text_encoder": other_encoder, "output_dir": str(tmp_path / "out")}
    recipe = json.loads((trained / "models" / "encoder.json").read_text())["recipe"]
    names = ("train", "demo", *(("align", "paper") if recipe["alignment_weight"] else ()), "evaluate")
    for start in (partial(infer, sentence_file=str(tmp_path / "sentence.txt")), partial(run, names)):
        with pytest.raises((RuntimeError, T3DError)) as caught:
            start(cohort, trained, **options)
        assert "was trained with the text encoder sha256:" in plain_message(caught.value)
    assert not (tmp_path / "out" / "gauges.json").exists()
    # the same files in another place are the same encoder
    moved = shutil.copytree(json.loads((trained / "models" / "encoder.json").read_text())["text"]["text_encoder"],
                            tmp_path / "moved")  # fmt: skip
    run(names, cohort, trained, text_encoder=str(moved), output_dir=str(tmp_path / "out"))
    assert (tmp_path / "out" / "gauges.json").is_file()


def test_shuffled_reports_reach_the_training_and_the_record(cohort, tmp_path):
    workflow = run(("train", "demo", "align"), cohort, tmp_path, max_epochs=1, shuffle_reports=True)
    lists = json.loads((cohort / "datalist.json").read_text())
    true = {item["case_id"]: item["report"] for items in lists.values() for item in items}
    patient_of = {report: item["patient_id"] for items in lists.values() for item in items
                  for report in [item["report"]]}  # fmt: skip
    trained_on = workflow.parser.get_parsed_content("train#dataset#data")
    assert all(patient_of[item["report"]] != item["patient_id"] for item in trained_on)
    validated_on = workflow.parser.get_parsed_content("validate#dataset#data")
    assert all(item["report"] == true[item["case_id"]] for item in validated_on)
    record = json.loads((tmp_path / "models" / "encoder.json").read_text())
    assert record["recipe"]["shuffle_reports"] is True
    with pytest.raises(RuntimeError) as caught:
        run(("train", "demo", "align"), cohort, tmp_path, max_epochs=2)
    assert "shuffle_reports True there, False now" in plain_message(caught.value)


def test_the_prompts_are_installed_with_the_package():
    configuration = (BUNDLE.parents[1] / "pyproject.toml").read_text()
    assert '"t3d.reports" = ["*.json"]' in configuration
