#!/usr/bin/env bash
# Every GPU path once, on a machine with one CUDA card and no network: gpu_check.sh OUT [WHEELS] [SECONDS]
#   OUT      folder for what was measured: table.md and check.json, made of steps.jsonl, runs.jsonl and card.txt; and
#            what the parts said last, runs.txt and tests.txt
#   WHEELS   folder of wheels of what the machine's Python lacks (monai, nibabel, pytorch-ignite, fire, blosc2 ..)
#   SECONDS  how long it may take (330); the most important part comes first, the rest is cut
# Nothing it says stops it: each part's exit status stands in runs.jsonl. Behind the measurements several parts share the
# card; SEQUENTIAL=1 runs one after the other, for a card below 40 GB. TINY=1 rehearses all of it on a CPU, small, one
# after the other and without a limit for a part.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
wheels=${2:-}
limit=${3:-330}
tiny=${TINY:-}
python=${PYTHON:-python3}
work=$(mktemp -d)
mkdir "$work/running"
export PYTHONPATH="$PWD${wheels:+:$work/site}" OMP_NUM_THREADS=4 MPLBACKEND=Agg PYTHONUNBUFFERED=1
[ -n "$tiny" ] && export OMP_NUM_THREADS=1

# what is left for a part: the table takes the last seconds
left() { echo $((limit - SECONDS - 8)); }
note() { printf '{"part": "%s", "status": %s, "seconds": %s, "ok": %s}\n' "$@" >>"$out/runs.jsonl"; }
# part NAME SECONDS COMMAND..: run with a time limit, keep the end of its output; STOPS: words with which it must fail
part() {
    local name=$1 most=$2 start=$SECONDS status=0 ok=false said
    shift 2
    [ -n "$tiny" ] && most=$limit
    [ "$most" -gt "$(left)" ] && most=$(left)
    if [ "$most" -lt 8 ]; then
        note "$name" null 0 false
        return
    fi
    timeout -k 3 "$most" "$@" >"$work/$name.log" 2>&1 &
    local child=$!
    : >"$work/running/$child"  # so that an end from outside ends it, too
    wait $child || status=$?
    rm -f "$work/running/$child"
    if [ -z "${STOPS:-}" ]; then
        [ $status -eq 0 ] && ok=true
    else
        [ $status -eq 1 ] && grep -q "$STOPS" "$work/$name.log" && ok=true
    fi
    note "$name" $status $((SECONDS - start)) $ok
    said=$(tail -n "$([ $ok = true ] && echo 2 || echo 12)" "$work/$name.log" | cut -c1-400)
    printf '%s: status %s, %s s\n%s\n' "$name" $status $((SECONDS - start)) "$said" | tee -a "$out/runs.txt"
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
# several lanes share the card; a rehearsal has one processor
lane() { if [ -n "$tiny${SEQUENTIAL:-}" ]; then "$@"; else "$@" & fi; }

finish() {
    trap - EXIT TERM INT
    local child lanes
    lanes=$(jobs -p)
    [ -n "$lanes" ] && kill $lanes 2>/dev/null
    for child in "$work"/running/*; do [ -e "$child" ] && kill "${child##*/}" 2>/dev/null; done
    "$python" benchmarks/gpu_table.py "$out"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT

rm -f "$out"/{steps,runs}.jsonl "$out"/{runs,tests}.txt
if [ -n "$wheels" ]; then
    "$python" -m pip install --quiet --no-index --no-deps --target "$work/site" "$wheels"/*.whl 2>&1 | tail -n 3
fi
{
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null || echo "no card"
    [ -n "$tiny" ] && echo "a rehearsal: its crops differ from row to row, and its ratios mean nothing"
    "$python" -c 'import sys, monai, numpy, torch, transformers
cuda = torch.cuda.is_available()
print("Python", sys.version.split()[0], "torch", torch.__version__, "monai", monai.__version__, "numpy", numpy.__version__,
    "transformers", transformers.__version__, "cuda", torch.version.cuda, "bf16", cuda and torch.cuda.is_bf16_supported())'
} | tee "$out/card.txt"

# a part that needs all the card: whatever it has measured when its time is over stands in steps.jsonl
steps=(--seconds 85 --steps 6)
recipe=(--crop_size 96)
if [ -n "$tiny" ]; then
    steps=(--seconds 100 --device cpu --crop_size 32 --feature_size 12 --most_volumes 2 --steps 2 --shape 64,64,64)
    recipe=(--crop_size 32 --feature_size 12 --batch_size 2 --gauge_batch_size 2 --num_workers 1)
fi
part phantoms 60 "$python" -m t3d phantoms --out_dir "$work/data" --cases 24 --shape 64
part steps 110 "$python" benchmarks/gpu_steps.py "$out/steps.jsonl" "${steps[@]}"
part text_encoder 60 "$python" -m t3d tiny_bert "$work/data/datalist.json" --out_dir "$work/bert"

pretrain=$(configs pretrain train demo)
segmentation=$(configs segmentation train demo)
classification=$(configs classification train demo)
compiled=(--compile True --backbone segres --feature_size 8)
few=(--seed 1)
short=(--max_epochs 1 --steps_per_epoch 4)
if [ -n "$tiny" ]; then
    compiled+=(--stem_stride 4)
    few=(--steps_per_epoch 2 --batch_size 2)
    short=(--max_epochs 1 --steps_per_epoch 2 --batch_size 2)
fi
# the whole recipe as shipped, on crops of 96^3; then the demonstration's sizes, compiled
whole_recipe() {
    run pretrain recipe_96 "$(configs pretrain train)" --spacing '[4.0,4.0,4.0]' "${recipe[@]}" --max_epochs 1 \
        --steps_per_epoch 4 --text_encoder "$work/bert" --text_width 64
    run pretrain pretrain_compiled "$pretrain" "${short[@]}" "${compiled[@]}"
    run segmentation segmentation_compiled "$segmentation" "${short[@]}" "${compiled[@]}"
}
# bfloat16 through the bundles, and what the trained models say; a training goes on
in_bfloat16() {
    local encoder="$work/pretrain_bf16/models/encoder.safetensors"
    run pretrain pretrain_bf16 "$pretrain" "${few[@]}" --max_epochs 2
    run segmentation segmentation_bf16 "$segmentation" "${short[@]}" --encoder_weights "$encoder"
    run classification classification_bf16 "$classification" "${short[@]}" --encoder_weights "$encoder"
    part features 60 "$python" -m monai.bundle run --bundle_root bundles/t3d_pretrain \
        --config_file bundles/t3d_pretrain/configs/inference.json --dataset_dir "$work/data" \
        --ckpt_dir "$work/pretrain_bf16/models" --output_dir "$work/features"
    LABEL=segmentation_evaluate run segmentation segmentation_bf16 "$(configs segmentation train demo evaluate)" --overwrite True
    LABEL=classification_evaluate run classification classification_bf16 "$(configs classification train demo evaluate)" --overwrite True
    LABEL=pretrain_resumed run pretrain pretrain_bf16 "$pretrain" "${few[@]}" --max_epochs 3
    STOPS="lower learning_rate" LABEL=pretrain_diverges run pretrain pretrain_bf16 "$pretrain" "${few[@]}" --max_epochs 4 \
        --learning_rate 1e30 --allow_changed "['learning_rate']"
}
# NCCL in one process, the other precisions, the other encoders
others() {
    local encoder="$work/pretrain_stem/models/encoder.safetensors" folded=(--backbone segres --feature_size 8 --stem_stride 4)
    part nccl 90 "$python" -m torch.distributed.run --standalone --nproc_per_node 1 -m monai.bundle run \
        --bundle_root bundles/t3d_pretrain --config_file "$(configs pretrain train demo multi_gpu_train)" \
        --dataset_dir "$work/data" --ckpt_dir "$work/nccl/models" --output_dir "$work/nccl/eval" "${short[@]}"
    run pretrain pretrain_fp16 "$pretrain" "${few[@]}" --max_epochs 2 --amp_dtype '$torch.float16'
    run pretrain pretrain_stem "$pretrain" "${short[@]}" "${folded[@]}"
    run segmentation segmentation_stem "$segmentation" "${short[@]}" "${folded[@]}" --encoder_weights "$encoder"
    run segmentation segmentation_fp16 "$segmentation" "${short[@]}" --amp_dtype '$torch.float16'
    run classification classification_fp16 "$classification" "${short[@]}" --amp_dtype '$torch.float16'
    run pretrain pretrain_segres "$pretrain" "${short[@]}" --backbone segres --feature_size 8
    run pretrain pretrain_paper "$(configs pretrain train paper demo)" "${short[@]}"
}
tests() {
    local files=(tests/test_diverged.py tests/test_pretrain_resume.py
        tests/test_pretrain_bundle.py tests/test_segmentation_bundle.py tests/test_classification_bundle.py
        tests/test_segmentation_resume.py tests/test_classification_resume.py)
    [ -n "$tiny" ] && files=(tests/test_trainer.py)
    OMP_NUM_THREADS=1 part tests "$(left)" "$python" -m pytest -q -n "$([ -n "$tiny" ] && echo 1 || echo 6)" --dist load \
        -p no:cacheprovider "${files[@]}"
    tail -n 60 "$work/tests.log" >"$out/tests.txt"
}
lane whole_recipe
lane in_bfloat16
lane others
lane tests
wait
