"""Rounds of federated averaging of the segmentation bundle in NVFlare's simulator, one folder of data per site.

    pip install nvflare && pip install --no-deps monai-nvflare
    python benchmarks/nvflare_rounds.py --sites SITE_A SITE_B --out_dir OUT --rounds 3

Each site is a folder with datalist.json, as for training alone. `OUT/job` is the job as NVFlare takes it (its
configuration files are what a real federation submits); `OUT/global` gets the averaged model. Sizes are those of
demo.json.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import torch

BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "t3d_segmentation"
FILES = ["configs/train.json", "configs/demo.json"]
logger = logging.getLogger("nvflare_rounds")


def server_config(*, rounds: int, sites: int, classes: int, demo: dict) -> dict:
    """What the server runs: weights start at random, are sent, averaged by the sites' steps, and kept."""
    network = {"in_channels": 1, "out_channels": classes}
    network |= {key: demo[key] for key in ("feature_size", "window_size")}
    common = "nvflare.app_common"
    return {
        "format_version": 2,
        "components": [
            {
                "id": "persistor",
                "path": "nvflare.app_opt.pt.file_model_persistor.PTFileModelPersistor",
                "args": {"model": {"path": "monai.networks.nets.SwinUNETR", "args": network}},
            },
            {
                "id": "shareable_generator",
                "path": f"{common}.shareablegenerators.full_model_shareable_generator.FullModelShareableGenerator",
                "args": {},
            },
            {
                "id": "aggregator",
                "path": f"{common}.aggregators.intime_accumulate_model_aggregator.InTimeAccumulateWeightedAggregator",
                "args": {"expected_data_kind": "WEIGHTS"},
            },
        ],
        "workflows": [
            {
                "id": "rounds",
                "path": f"{common}.workflows.scatter_and_gather.ScatterAndGather",
                "args": {
                    "min_clients": sites,
                    "num_rounds": rounds,
                    "wait_time_after_min_received": 0,
                    "aggregator_id": "aggregator",
                    "persistor_id": "persistor",
                    "shareable_generator_id": "shareable_generator",
                    "train_task_name": "train",
                },
            }
        ],
    }


def client_config(*, site: Path, work: Path, rounds: int, options: dict) -> dict:
    """What a site runs: MONAI's client with the bundle's own training; `work` keeps its checkpoints."""
    settings = {
        "bundle_root": str(BUNDLE),
        "dataset_dir": str(site),
        "ckpt_dir": str(work / "models"),
        "output_dir": str(work / "eval"),
        "schedule_epochs": rounds,
        **options,
    }
    return {
        "format_version": 2,
        "executors": [
            {
                "tasks": ["train", "submit_model", "validate"],
                "executor": {
                    "path": "monai_nvflare.client_algo_executor.ClientAlgoExecutor",
                    "args": {"client_algo_id": "client_algo", "key_metric": "val_mean_dice"},
                },
            }
        ],
        "task_data_filters": [],
        "task_result_filters": [],
        "components": [
            {
                "id": "client_algo",
                "path": "monai.fl.client.MonaiAlgo",
                "args": {
                    "bundle_root": str(BUNDLE),
                    "local_epochs": 1,
                    "config_train_filename": FILES,
                    "config_evaluate_filename": FILES,
                    "train_kwargs": settings,
                    "eval_kwargs": settings,
                    "send_weight_diff": False,
                },
            }
        ],
    }


def write_job(folder: Path, *, sites: list[Path], rounds: int, options: dict) -> None:
    demo = json.loads((BUNDLE / "configs" / "demo.json").read_text())
    labels = json.loads((BUNDLE / "configs" / "labels_demo.json").read_text())
    classes = len([name for name in labels if name != "background"]) + 1
    apps = {"server": ["server"]} | {f"site{number}": [f"site-{number}"] for number in range(1, len(sites) + 1)}
    meta = {"name": "t3d_segmentation", "min_clients": len(sites), "deploy_map": apps, "resource_spec": {}}
    configs = {"server": server_config(rounds=rounds, sites=len(sites), classes=classes, demo=demo)}
    for number, site in enumerate(sites, start=1):
        work = folder.parent / f"site-{number}"
        configs[f"site{number}"] = client_config(site=site, work=work, rounds=rounds, options=options)
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps(meta, indent=4))
    for app, config in configs.items():
        (folder / app / "config").mkdir(parents=True)
        kind = "server" if app == "server" else "client"
        (folder / app / "config" / f"config_fed_{kind}.json").write_text(json.dumps(config, indent=4))


def allow_classes(workspace: Path, job: Path) -> None:
    """The classes that the sites let a job build: those of this job and no others (NVFlare 2.9 refuses unlisted ones).

    In a real federation each site's administrator writes this list into `local/resources.json`.
    """
    found: set[str] = set()

    def walk(value) -> None:
        if isinstance(value, dict):
            found.update([value["path"]] if isinstance(value.get("path"), str) else [])
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(child)

    for config in job.rglob("config_fed_*.json"):
        walk(json.loads(config.read_text()))
    (workspace / "local").mkdir(parents=True)
    (workspace / "local" / "resources.json").write_text(
        json.dumps({"format_version": 2, "class_allow_list": sorted(found)}, indent=4)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=Path, nargs="+", required=True)
    parser.add_argument("--out_dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--options", type=json.loads, default={}, help="more settings of the training, as JSON")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out = arguments.out_dir.resolve()
    sites = [site.resolve() for site in arguments.sites]
    write_job(out / "job", sites=sites, rounds=arguments.rounds, options=arguments.options)
    allow_classes(out / "workspace", out / "job")
    # the simulator starts processes of its own, which must find t3d, too
    paths = [str(BUNDLE.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    line = [sys.executable, "-m", "nvflare.private.fed.app.simulator.simulator", str(out / "job")]
    line += ["-w", str(out / "workspace"), "-n", str(len(sites)), "-t", "1"]
    subprocess.run(line, check=True, env=environment)
    found = sorted((out / "workspace").rglob("FL_global_model.pt"))
    if not found:
        sys.exit(f"the simulator left no FL_global_model.pt below {out / 'workspace'}; its log says why")
    state = torch.load(found[0], weights_only=True)
    (out / "global").mkdir()
    torch.save({name: torch.as_tensor(value) for name, value in state["model"].items()}, out / "global" / "model.pt")
    logger.info("averaged model of %d rounds: %s", arguments.rounds, out / "global" / "model.pt")


if __name__ == "__main__":
    main()
