#!/usr/bin/env bash
# Every GPU path once, on a machine with one CUDA card and no network: gpu_check.sh OUT [WHEELS] [SECONDS]
#   OUT      folder for the table: steps.jsonl, runs.txt, tests.txt, card.txt
#   WHEELS   folder of wheels of what the machine's Python lacks (monai, nibabel, pytorch-ignite, fire, blosc2 ..)
#   SECONDS  about how long it may take (330); the most important part comes first, the rest is cut
# Nothing it says stops it: each part's exit status stands in runs.txt.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
wheels=${2:-}
limit=${3:-330}
python=${PYTHON:-python3}
work=$(mktemp -d)
export PYTHONPATH="$PWD${wheels:+:$work/site}" OMP_NUM_THREADS=4 MPLBACKEND=Agg

left() { echo $((limit - SECONDS)); }
# part NAME SECONDS COMMAND..: run with a time limit, keep the end of its output where it failed
part() {
    local name=$1 most=$2 start=$SECONDS
    shift 2
    [ "$most" -gt "$(left)" ] && most=$(left)
    if [ "$most" -lt 10 ]; then
        echo "$name: left out, $limit s were over" | tee -a "$out/runs.txt"
        return
    fi
    timeout -k 5 "$most" "$@" >"$work/$name.log" 2>&1
    local status=$?
    echo "$name: status $status, $((SECONDS - start)) s" | tee -a "$out/runs.txt"
    tail -n "$([ $status -eq 0 ] && echo 2 || echo 12)" "$work/$name.log" | cut -c1-400 | tee -a "$out/runs.txt"
}
# run STAGE FOLDER CONFIGS OPTION..: a bundle on the phantoms; LABEL names the part where the folder does not
run() {
    local stage=$1 name=$2 files=$3
    shift 3
    part "${LABEL:-$name}" 120 "$python" -m monai.bundle run --bundle_root "bundles/t3d_$stage" --config_file "$files" \
        --dataset_dir "$work/data" --ckpt_dir "$work/$name/models" --output_dir "$work/$name/eval" "$@"
}
configs() {
    local stage=$1 files=""
    shift
    for file in "$@"; do files="$files,'bundles/t3d_$stage/configs/$file.json'"; done
    echo "[${files#,}]"
}

: >"$out/runs.txt"
if [ -n "$wheels" ]; then
    "$python" -m pip install --quiet --no-index --no-deps --target "$work/site" "$wheels"/*.whl 2>&1 | tail -n 3
fi
{
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
    "$python" -c 'import sys, monai, numpy, torch, transformers
print("Python", sys.version.split()[0], "torch", torch.__version__, "monai", monai.__version__, "numpy", numpy.__version__,
    "transformers", transformers.__version__, "cuda", torch.version.cuda, "bf16", torch.cuda.is_bf16_supported())'
} | tee "$out/card.txt"

# a part that needs all the card: whatever it has measured when its time is over stands in steps.jsonl
part phantoms 60 "$python" -m t3d phantoms --out_dir "$work/data" --cases 24 --shape 64
part steps 80 "$python" benchmarks/gpu_steps.py "$out/steps.jsonl" --seconds 60
part text_encoder 60 "$python" -m t3d tiny_bert "$work/data/datalist.json" --out_dir "$work/bert"
# the whole recipe as shipped, on crops of 96^3
run pretrain recipe_96 "$(configs pretrain train)" --spacing '[4.0,4.0,4.0]' --max_epochs 1 \
    --steps_per_epoch 4 --num_workers 4 --text_encoder "$work/bert" --text_width 64
pretrain=$(configs pretrain train demo)
# demo sizes, in the three precisions
run pretrain pretrain_bf16 "$pretrain" --max_epochs 2
run pretrain pretrain_fp16 "$pretrain" --max_epochs 2 --amp_dtype '$torch.float16'
encoder="$work/pretrain_bf16/models/encoder.safetensors"
run segmentation segmentation_bf16 "$(configs segmentation train demo)" --encoder_weights "$encoder"
run classification classification_bf16 "$(configs classification train demo)" --encoder_weights "$encoder"
# what the trained models say
part features 60 "$python" -m monai.bundle run --bundle_root bundles/t3d_pretrain \
    --config_file bundles/t3d_pretrain/configs/inference.json --dataset_dir "$work/data" \
    --ckpt_dir "$work/pretrain_bf16/models" --output_dir "$work/features"
LABEL=segmentation_evaluate run segmentation segmentation_bf16 "$(configs segmentation train demo evaluate)" --overwrite True
LABEL=classification_evaluate run classification classification_bf16 "$(configs classification train demo evaluate)" --overwrite True
# a training goes on; NCCL in one process
LABEL=pretrain_resumed run pretrain pretrain_bf16 "$pretrain" --max_epochs 3
part nccl 90 "$python" -m torch.distributed.run --standalone --nproc_per_node 1 -m monai.bundle run \
    --bundle_root bundles/t3d_pretrain --config_file "$(configs pretrain train demo multi_gpu_train)" \
    --dataset_dir "$work/data" --ckpt_dir "$work/nccl/models" --output_dir "$work/nccl/eval" --max_epochs 1
run segmentation segmentation_fp16 "$(configs segmentation train demo)" --amp_dtype '$torch.float16'
run classification classification_fp16 "$(configs classification train demo)" --amp_dtype '$torch.float16'
run pretrain pretrain_segres "$pretrain" --max_epochs 1 --backbone segres --feature_size 8
run pretrain pretrain_paper "$(configs pretrain train paper demo)" --max_epochs 1
tests=(tests/test_pretrain_bundle.py tests/test_segmentation_bundle.py tests/test_classification_bundle.py
    tests/test_pretrain_resume.py tests/test_segmentation_resume.py tests/test_classification_resume.py)
OMP_NUM_THREADS=1 part tests "$(left)" "$python" -m pytest -q -n 8 --dist load -p no:cacheprovider "${tests[@]}"
tail -n 60 "$work/tests.log" >"$out/tests.txt"
rm -rf "$work"
