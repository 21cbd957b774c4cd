"""Plans and what they come to: every wrong entry is named, and a change touches only what depends on it."""

import copy
import json
from collections import Counter

import pytest
from bundle_runs import REPOSITORY

from t3d.errors import T3DError
from t3d.study.graph import make_graph
from t3d.study.plan import make_plan, read_plan
from t3d.study.plan_file import PLANS, read_plan_file
from t3d.study.run import share_of

BUNDLES = REPOSITORY / "bundles"
TINY = json.loads((PLANS / "study_tiny.json").read_text())


def planned(change=None, **entries):
    content = {**copy.deepcopy(TINY), **entries}
    if change is not None:
        change(content)
    return make_plan(content, name="plan.json")


def keys(plan) -> dict[str, str]:
    return {cell.name: cell.key for cell in make_graph(plan, BUNDLES).cells.values()}


def changed(plan) -> set[str]:
    before, after = keys(planned()), keys(plan)
    return {name for name in after if after[name] != before.get(name)}


@pytest.mark.parametrize("name", sorted(path.stem for path in PLANS.glob("study_*.json")))
def test_shipped_plans_fit_the_bundles(name):
    plan = read_plan(name)
    graph = make_graph(plan, BUNDLES)
    assert len(graph.places) >= len(plan.arms) * len(plan.seeds)
    assert "shuffled" in plan.controls().values()
    assert all(plan.arms[control].kind == "shuffled" for control in plan.controls().values())


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"arms": {"a": {"seeds": [7]}}, "reference": "a"}, "arm a: seeds is [7]; give some of the plan's"),
        ({"arms": {"a": {"control": "b"}, "b": {}}}, "arm a: control is 'b'; name an arm of the kind 'shuffled'"),
        ({"sedes": [1]}, "no entry 'sedes'; did you mean 'seeds'"),
        ({"arms": {"a": {"overlay": ["demo"]}}}, "arm a has no entry 'overlay'; did you mean 'overlays'"),
        ({"arms": {"a": {"kind": "shufled"}}}, "kind 'shufled' is unknown; did you mean 'shuffled'"),
        ({"arms": {"a": {"options": {"shuffle_reports": True}}}}, 'say "kind": "shuffled"'),
        ({"arms": {"a/b": {}}, "reference": "a/b"}, "use letters, digits"),
        ({"arms": {}}, "arms must be an object"),
        ({"reference": "defualt"}, "reference 'defualt' is no arm; did you mean 'default'"),
        ({"tasks": {"probes": {}}}, "tasks has no entry 'probes'; did you mean 'probe'"),
        ({"tasks": {"probe": {"labels": [0]}}}, "labels is [0]"),
        ({"tasks": {"probe": {"label": [5]}}}, "task probe has no entry 'label'; did you mean 'labels'"),
        ({"tasks": {"probe": {"draws": 0}}}, "draws and strides"),
        (
            {"tasks": {"probe": {"labels": [50], "pool": 20}}},
            "task probe: pool is 20; give a number of cases, not below",
        ),
        ({"tasks": {"zero_shot": {"arms": ["twin"]}}}, "task zero_shot: arms is ['twin']; give a list of arms"),
        ({"tasks": {"restoration": {"regions": {"organs": [1]}}}}, "task restoration: regions is {'organs': [1]}"),
        ({"tasks": {"lesions": {"tolerance_mm": 0}}}, "task lesions: tolerance_mm is 0; give millimetres"),
        ({"tasks": {"restoration": {"crops": 0}}}, "task restoration: crops is 0"),
        ({"tasks": {"restoration": {"crop": 0}}}, "task restoration has no entry 'crop'; did you mean 'crops'"),
        ({"tasks": {"organs": {"test_cases": 0}}}, "task organs: test_cases is 0"),
        ({"seeds": [1, 1]}, "seeds is [1, 1]"),
        ({"cohort": {"phantoms": {"training": 4, "validation": 2}}}, "cohort phantoms test is None"),
        ({"cohort": {"phantom": {}}}, 'cohort must be {"phantoms"'),
        ({"pretrain": []}, "pretrain must be an object"),
        ({"resamples": 0}, "resamples is 0"),
    ],
)
def test_what_is_wrong_is_named(entries, words):
    with pytest.raises(T3DError) as caught:
        planned(**entries)
    assert words in str(caught.value)


def test_a_plan_or_an_overlay_that_is_not_there():
    with pytest.raises(T3DError, match="shipped plan: .*study_cpu"):
        read_plan("study_moon")
    with pytest.raises(T3DError, match="t3d_pretrain has no configuration 'visiononly'; it has .*vision_only"):
        keys(planned(arms={"untrained": {"overlays": ["visiononly"]}}))


def written(folder, **plans) -> None:
    for name, content in plans.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def test_a_plan_extends_another_one(tmp_path):
    (tmp_path / "sub").mkdir()
    written(tmp_path / "sub", base={"cohort": {"datalist": "list.json"}, "seeds": [1], "extends": "study_tiny"})
    written(tmp_path, one={"extends": "sub/base.json", "tasks": {"organs": {}}})
    found = read_plan_file(tmp_path / "one.json")
    assert found["cohort"] == {"datalist": str(tmp_path / "sub" / "list.json")}  # of the file that names it
    assert found["seeds"] == [1] and found["tasks"] == {"organs": {}} and found["arms"] == TINY["arms"]
    assert "extends" not in found


def test_paths_are_of_the_file_that_names_them(tmp_path):
    (tmp_path / "sub").mkdir()
    written(
        tmp_path / "sub",
        base={
            "cohort": {"published": {"btcv": {"root": "btcv"}, "amos": {}}},
            "arms": {"given": {"kind": "given", "encoder": "models"}, "scratch": {"kind": "scratch"}},
            "tasks": {"zero_shot": {"prompts": "prompts.json"}},
        },
    )
    pair = {"positive": ["There is a cyst."], "negative": ["No cyst."]}
    written(tmp_path / "sub", prompts={"findings": {"cyst": pair}})
    written(tmp_path, one={"extends": "sub/base.json", "seeds": [3]})
    plan = read_plan(tmp_path / "one.json")
    assert plan.cohort["published"]["btcv"]["root"] == str(tmp_path / "sub" / "btcv")
    assert plan.cohort["published"]["amos"]["root"] is None
    assert plan.arms["given"].encoder == str(tmp_path / "sub" / "models") and plan.arms["given"].seeds == (3,)
    assert plan.tasks["zero_shot"]["prompts"] == {"cyst": pair}


def test_a_given_network_is_asked_what_it_was_trained_for(tmp_path):
    arms = {"given": {"kind": "given", "encoder": str(tmp_path)}, "unasked": {}, "scratch": {"kind": "scratch"}}
    everything = {name: {"arms": ["given", "scratch"]} for name in ("probe", "zero_shot", "restoration", "findings")}
    (tmp_path / "encoder.safetensors").write_bytes(b"weights")

    def asked(**network):
        (tmp_path / "encoder.json").write_text(json.dumps({"network": network}))
        graph = make_graph(planned(arms=arms, reference="given", tasks=everything), BUNDLES)
        assert {place.arm for place in graph.places if place.arm != "given"} == {"scratch"}
        assert not any(cell.kind == "pretraining" for cell in graph.cells.values())
        return {place.task for place in graph.places if place.arm == "given"}

    frozen = {"probe", "findings"}
    assert asked(use_sentences=True, use_restoration=True) == frozen  # only its encoder is there
    (tmp_path / "model.pt").write_bytes(b"all weights")
    assert asked(use_sentences=True, use_restoration=False) == {*frozen, "zero_shot"}
    assert asked(use_sentences=False, use_restoration=True) == {*frozen, "restoration"}


def test_the_plan_of_organs_shares_cohort_and_pretrainings_with_study_cpu():
    one, other = (make_graph(read_plan(name), BUNDLES) for name in ("study_cpu", "study_cpu_organs"))
    shared = {cell.name for key, cell in one.cells.items() if key in other.cells}
    mine = [cell for key, cell in other.cells.items() if key not in one.cells]
    assert "cohort" in shared and "pre-training of shuffled, seed 2" in shared and len(shared) == 1 + 4 * 3
    kinds = Counter(cell.kind for cell in mine)  # the oracle is asked nothing
    assert kinds == {"fine_tuning": 4 * 3 * 3, "restoration": 4 * 3}
    assert len(other.places) == 2 * kinds["fine_tuning"] + kinds["restoration"]  # organs and lesions of one training


def test_the_plan_of_ablations_shares_the_recipe_and_its_control_and_changes_one_thing_an_arm():
    one, other = (make_graph(read_plan(name), BUNDLES) for name in ("study_cpu", "study_cpu_ablations"))
    shared = {cell.name for key, cell in other.cells.items() if key in one.cells}
    assert {"pre-training of default, seed 1", "probe with 200 labels, shuffled, seed 2"} < shared
    assert not any("pairs" in name for name in shared)
    plan = read_plan("study_cpu_ablations")
    changed = {
        name: tuple(arm.recipe.options) for name, arm in plan.arms.items() if name not in ("default", "shuffled")
    }
    assert changed.pop("sentences_alone") == ("contrast_weight", "restoration_weight")
    assert all(len(options) == 1 for options in changed.values())


def test_restoration_is_asked_of_networks_that_restore_and_knows_the_regions_of_phantoms():
    arms = {**TINY["arms"], "scratch": {"kind": "scratch"}, "sentences": {"options": {"restoration_weight": 0.0}}}
    graph = make_graph(planned(arms=arms, tasks={"restoration": {"crops": 2}, "probe": {}}), BUNDLES)
    asked = [place for place in graph.places if place.task == "restoration"]
    assert {place.arm for place in asked} == {"untrained", "default", "shuffled"}
    settings = graph.cells[asked[0].key].settings
    assert settings["crops"] == 2 and settings["regions"]["lesions"] == list(range(16, 25))
    tasks = {"restoration": {}}
    with pytest.raises(T3DError, match="give its regions"):
        keys(planned(cohort={"datalist": str(BUNDLES / "t3d_pretrain" / "configs" / "train.json")}, tasks=tasks))


def test_lesions_need_to_be_named():
    with pytest.raises(T3DError, match="no class is named as lesions"):
        keys(planned(tasks={"lesions": {}}))
    keys(planned(tasks={"lesions": {"overlays": ["tumour"]}}))
    keys(planned(tasks={"lesions": {"options": {"lesion_classes": ["liver"]}}}))


def test_plans_that_extend_each_other_in_a_circle_are_refused(tmp_path):
    written(tmp_path, a={"extends": "b.json"}, b={"extends": "a.json"}, c={"extends": "c.json"}, d={"extends": 3})
    with pytest.raises(T3DError, match="in a circle, a.json -> b.json -> a.json; take one extends out"):
        read_plan(tmp_path / "a.json")
    with pytest.raises(T3DError, match="c.json -> c.json"):
        read_plan(tmp_path / "c.json")
    with pytest.raises(T3DError, match="extends is 3; give the file of a plan"):
        read_plan(tmp_path / "d.json")
    written(tmp_path, e={"extends": "study_moon"})
    with pytest.raises(T3DError, match="study_moon.* give a file or a shipped plan: .*study_cpu"):
        read_plan(tmp_path / "e.json")


def test_the_graph_of_the_tiny_plan():
    names = list(keys(planned()))
    assert names[0] == "cohort" and len(names) == 1 + 4 * (1 + 1 + 2)
    cells = make_graph(planned(), BUNDLES).cells
    done: set[str] = set()
    for key, cell in cells.items():
        assert set(cell.needs.values()) <= done
        done.add(key)


def test_a_change_touches_only_what_depends_on_it():
    assert changed(planned()) == set()
    plan = planned(lambda content: content["arms"]["default"].update(options={"temperature": 0.2}))
    assert changed(plan) == {name for name in keys(plan) if "default" in name}
    plan = planned(lambda content: content["tasks"]["probe"].update(l2=1.0))
    assert changed(plan) == {name for name in keys(plan) if name.startswith("probe")}
    plan = planned(lambda content: content["tasks"]["probe"].update(labels=[12, 20, "all"]))
    assert changed(plan) == {name for name in keys(plan) if "20 labels" in name}
    plan = planned(resamples=7, least_positives=1, reference="default")
    assert changed(plan) == set()
    plan = planned(lambda content: content["classification"]["options"].update(batch_size=4))
    assert changed(plan) == {name for name in keys(plan) if "oracle" in name}


def test_order_of_overlays_counts():
    one = keys(planned(lambda content: content["arms"]["default"].update(overlays=["align", "vision_only"])))
    two = keys(planned(lambda content: content["arms"]["default"].update(overlays=["vision_only", "align"])))
    assert one["pre-training of default, seed 0"] != two["pre-training of default, seed 0"]


def test_only_arms_that_read_text_are_asked_in_words():
    graph = make_graph(planned(tasks={"zero_shot": {}, "findings": {}, "probe": {"arms": ["default"]}}), BUNDLES)
    assert {place.arm for place in graph.places if place.task == "probe"} == {"default"}
    assert {place.arm for place in graph.places if place.task == "zero_shot"} == {"default", "shuffled"}
    assert {place.arm for place in graph.places if place.task == "findings"} == set(TINY["arms"])


def test_arms_without_a_head_for_text_are_not_asked_and_an_arm_may_have_fewer_seeds():
    arms = {
        **TINY["arms"],
        "paper": {"overlays": ["paper"]},
        "aligned_paper": {"overlays": ["paper", "align"]},
        "no_sentences": {"options": {"sentence_weight": 0}},
        "oracle": {"kind": "oracle", "seeds": [1]},
    }
    graph = make_graph(planned(arms=arms, seeds=[0, 1], tasks={"retrieval": {}, "probe": {}}), BUNDLES)
    assert {place.arm for place in graph.places if place.task == "retrieval"} == {
        "default",
        "shuffled",
        "aligned_paper",
    }
    assert {place.seed for place in graph.places if place.arm == "oracle"} == {1}
    assert {place.seed for place in graph.places if place.arm == "default"} == {0, 1}


def test_shares_of_an_array_job_cover_everything_and_hold_what_they_need():
    cells = make_graph(planned(seeds=[0, 1]), BUNDLES).cells
    shares = [share_of(cells, (number, 3)) for number in (1, 2, 3)]
    assert set().union(*shares) == set(cells)
    for share in shares:
        assert all(set(cell.needs.values()) <= set(share) for cell in share.values())
    common = set(shares[0]) & set(shares[1])
    assert {cells[key].name for key in common} == {"cohort"}
