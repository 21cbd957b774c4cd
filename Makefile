# Each target makes the virtual environment it needs, once; PYTHON may be any Python 3.10 to 3.12.
PYTHON ?= python3
DEMO_DIR ?= demo
DEMO_CASES ?= 800
DEMO_SEED ?= 0
# share of the training cases whose labels the downstream stages see
DEMO_LABELS ?= 0.1
# of 25 steps of pre-training
DEMO_EPOCHS ?= 4
# what the text maps look for
DEMO_SENTENCE ?= Large right pleural effusion.

# Small tensors run slower on many threads, and plots need no screen.
export OMP_NUM_THREADS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -lt 4 ] && echo $$n || echo 4)
export MPLBACKEND = Agg
export PYTHON
ifneq ($(words $(DEMO_DIR)),1)
$(error DEMO_DIR '$(DEMO_DIR)' must be one folder name without spaces)
endif

TEST_PYTHON = .venv-test/bin/python
ZIPS_PYTHON = .venv-zips/bin/python
DEMO_PYTHON = .venv-demo/bin/python
D = $(DEMO_DIR)
# glibc would hand every large block back to the system and ask for it at the next step again: a tenth of the time of a
# segmentation training, most of what the system takes of it
KEEP_MEMORY = MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824
RUN = $(KEEP_MEMORY) $(DEMO_PYTHON) -m monai.bundle run --dataset_dir "$D/data"
# bundle root and configurations of a stage: $(call config,STAGE,train demo evaluate)
config = --bundle_root bundles/t3d_$(1) --config_file \
	"[$(subst $(space),$(comma),$(patsubst %,'bundles/t3d_$(1)/configs/%.json',$(2)))]"
comma = ,
space = $(subst ,, )
# where a stage leaves its models and results: $(call into,FOLDER)
into = --ckpt_dir "$D/$(1)/models" --output_dir "$D/$(1)/eval"
# What a demonstration of minutes can learn: findings that are large at 8 mm, an encoder that is cheap on a processor
# (docs/encoders.md), and so many steps
DEMO_FINDINGS = [cardiomegaly,hepatic_steatosis,pericardial_effusion,pleural_effusion,splenomegaly]
SMALL = --backbone segres --feature_size 32 --stem_stride 4 --amp True --spacing "[8.0, 8.0, 8.0]"
PRETRAIN = $(SMALL) --batch_size 16 --steps_per_epoch 25 --max_epochs $(DEMO_EPOCHS)
# clipping was worth .016 to .082 of Dice, more than any start (docs of t3d_segmentation)
SEGMENT = $(SMALL) --crop_size 32 --batch_size 2 --crops_per_case 4 --max_epochs 8 --learning_rate 0.004 --clip_norm 1.0
CLASSIFY = $(SMALL) --batch_size 16
# The beginnings that are compared, with the same few labels each; shuffled: T3D's recipe with other patients' reports
DEMO_SEGMENTED ?= t3d scratch
DEMO_CLASSIFIED ?= t3d twin scratch
DEMO_ZERO_SHOT ?= t3d
few_labels = --label_fraction $(DEMO_LABELS) $(if $(filter scratch,$(1)),,--encoder_weights "$D/$(1)/models/encoder.safetensors")

# MONAI versions that a MONAI Label server is tested with; their environments are .venv-label-VERSION
LABEL_MONAI ?= 1.6.1 1.5.2

.PHONY: help test test-label label-versions test-zips zoo-check lint format demo demo-long demo-phantoms demo-pretrain \
	demo-evaluate demo-features demo-segmentation demo-classification demo-zero-shot demo-summary
.NOTPARALLEL:

help:
	@echo "make test      run the tests"
	@echo "make test-label a real MONAI Label server, with monai $(LABEL_MONAI); Python 3.10 or 3.11"
	@echo "make test-zips run the packed bundles in an environment made from their cards' install lines"
	@echo "make zoo-check what the MONAI model zoo checks: files, metadata, networks, properties, workflows"
	@echo "make lint      check style, format and types"
	@echo "make format    mend style and format"
	@echo "make demo      phantoms, pre-training, segmentation, classification and a report page, into $(DEMO_DIR)/;"
	@echo "               stopped and started again it goes on. Its steps alone (delete a step's folder to have it"
	@echo "               made anew): demo-phantoms demo-pretrain demo-evaluate demo-features demo-segmentation"
	@echo "               demo-classification demo-zero-shot demo-summary"
	@echo "make demo-long four times the pre-training, and the control with other patients' reports, into demo-long/"

.venv-test/ready: pyproject.toml scripts/environment.sh
	@scripts/environment.sh .venv-test dev
	@touch $@

.venv-zips/ready: $(wildcard bundles/*/docs/README.md) scripts/environment.sh scripts/card_requirements.py
	@scripts/environment.sh .venv-zips cards
	@touch $@

.venv-demo/ready: pyproject.toml scripts/environment.sh
	@scripts/environment.sh .venv-demo demo
	@touch $@

# make test COVERAGE=95 fails below 95 percent of t3d's lines, as .ci/run has it; lines that only bundles started as
# programs run are not counted. It takes some more of the processor's time, most in tests of plain Python (what would make
# it cheap, COVERAGE_CORE=sysmon, needs Python 3.12, which MONAI Label does not have), so `make test` alone does not count
MEASURED = $(if $(COVERAGE),--cov=t3d --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE))

test: .venv-test/ready
	@echo "==> running the tests, two modules at a time"
	@OMP_NUM_THREADS=1 $(TEST_PYTHON) -m pytest -q -rs --numprocesses 2 --dist loadfile $(MEASURED)

.venv-label-%/ready: pyproject.toml scripts/environment.sh scripts/label_environment.sh
	@scripts/label_environment.sh .venv-label-$* $*
	@touch $@

# There ITK is installed, and pydicom is older than 3: the files that hospitals send are read there too
VOLUME_TESTS = tests/test_dicom_conversion.py tests/test_dicom_grid.py tests/test_image_file.py

label-versions:
	@echo $(LABEL_MONAI)

test-label: $(LABEL_MONAI:%=.venv-label-%/ready)
	@for monai in $(LABEL_MONAI); do \
		echo "==> testing a MONAI Label server with monai $$monai"; \
		OMP_NUM_THREADS=1 .venv-label-$$monai/bin/python -m pytest -q tests/label $(VOLUME_TESTS) || exit 1; \
	done

test-zips: .venv-test/ready .venv-zips/ready
	@echo "==> running the packed bundles without an installed t3d"
	@OMP_NUM_THREADS=1 T3D_ZIPS_PYTHON="$(CURDIR)/$(ZIPS_PYTHON)" $(TEST_PYTHON) -m pytest -q -m zips tests/test_zips_run.py

# The zoo's verify_bundle.py and unit tests: rules about files, then MONAI's own checks and the train, evaluate and
# inference workflows on tiny volumes, in one process and in two (the _dist twins)
ZOO_TESTS = tests/test_zoo_rules.py tests/test_pack_versions.py tests/test_pack_packages.py \
	tests/test_pretrain_bundle.py tests/test_segmentation_bundle.py tests/test_classification_bundle.py \
	tests/test_pretrain_resume.py::test_two_processes_train_checkpoint_and_resume \
	tests/test_segmentation_resume.py::test_two_processes_train_and_validate \
	tests/test_classification_resume.py::test_two_processes_train_validate_and_leave_a_model

zoo-check: .venv-test/ready
	@echo "==> checking what the MONAI model zoo checks"
	@OMP_NUM_THREADS=1 $(TEST_PYTHON) -m pytest -q $(ZOO_TESTS)

lint: .venv-test/ready
	@echo "==> checking style, format and types"
	@$(TEST_PYTHON) -m ruff check .
	@$(TEST_PYTHON) -m ruff format --check .
	@$(TEST_PYTHON) -m mypy
	@$(TEST_PYTHON) scripts/format_configs.py --check

format: .venv-test/ready
	@$(TEST_PYTHON) -m ruff check --fix .
	@$(TEST_PYTHON) -m ruff format .
	@$(TEST_PYTHON) scripts/format_configs.py

# Four times the pre-training, so that sentences are learnt, and the controls that the minutes of `make demo` do not carry
demo-long:
	@$(MAKE) --no-print-directory demo DEMO_DIR=$(if $(filter file,$(origin DEMO_DIR)),demo-long,$D) DEMO_EPOCHS=16 \
		DEMO_SEGMENTED="t3d twin scratch" DEMO_CLASSIFIED="t3d shuffled twin scratch" DEMO_ZERO_SHOT="t3d shuffled"

demo: demo-summary
	@echo "==> done: open $D/summary.html in a browser, or read $D/summary.md"

$D/data/datalist.json: | .venv-demo/ready
	@echo "==> 1/8 making $(DEMO_CASES) phantom CTs with reports in $D/data"
	@$(DEMO_PYTHON) -m t3d phantoms --out_dir "$D/data" --cases $(DEMO_CASES) --seed $(DEMO_SEED) --shape 48 \
		--findings "$(DEMO_FINDINGS)" --workers 2

$D/t3d/models/encoder.json: $D/data/datalist.json
	@echo "==> 2/8 pre-training T3D into $D/t3d"
	@$(RUN) $(call config,pretrain,train demo) $(PRETRAIN) $(call into,t3d)

$D/twin/models/encoder.json: $D/data/datalist.json
	@echo "==> 2/8 pre-training its vision-only twin into $D/twin"
	@$(RUN) $(call config,pretrain,train demo vision_only) $(PRETRAIN) $(call into,twin)

$D/shuffled/models/encoder.json: $D/data/datalist.json
	@echo "==> 2/8 pre-training with other patients' reports, the control, into $D/shuffled"
	@$(RUN) $(call config,pretrain,train demo) $(PRETRAIN) $(call into,shuffled) --shuffle_reports True

$D/t3d/eval/gauges.json: $D/t3d/models/encoder.json
	@echo "==> 3/8 measuring T3D on held-out phantoms"
	@$(RUN) $(call config,pretrain,train demo evaluate) $(PRETRAIN) $(call into,t3d) --gauge_repeats 1

$D/twin/eval/gauges.json: $D/twin/models/encoder.json
	@echo "==> 3/8 measuring the twin on held-out phantoms"
	@$(RUN) $(call config,pretrain,train demo vision_only evaluate) $(PRETRAIN) $(call into,twin) --gauge_repeats 1

$D/features/done: $D/t3d/models/encoder.json
	@echo "==> 4/8 computing T3D's features of the held-out phantoms into $D/features"
	@echo "$(DEMO_SENTENCE)" > "$D/sentence.txt"
	@$(RUN) $(call config,pretrain,inference) --ckpt_dir "$D/t3d/models" --output_dir "$D/features" --overwrite True \
		--sentence_file "$D/sentence.txt"
	@touch $@

# an encoder is needed by the starts that have one
$(foreach stage,segmentation classification,$(foreach start,t3d shuffled twin,$(eval \
	$D/$(stage)_$(start)/models/model.json: $D/$(start)/models/encoder.json)))

$D/segmentation_%/models/model.json: $D/data/datalist.json
	@echo "==> 5/8 training segmentation ($*) with $(DEMO_LABELS) of the labels into $D/segmentation_$*"
	@$(RUN) $(call config,segmentation,train demo) $(SEGMENT) $(call into,segmentation_$*) $(call few_labels,$*)

$D/segmentation_%/eval/metrics.json: $D/segmentation_%/models/model.json
	@echo "==> 5/8 measuring segmentation ($*) on held-out phantoms"
	@$(RUN) $(call config,segmentation,train demo evaluate) $(SEGMENT) $(call into,segmentation_$*) --overwrite True

$D/classification_%/models/model.json: $D/data/datalist.json
	@echo "==> 6/8 training classification ($*) with $(DEMO_LABELS) of the labels into $D/classification_$*"
	@$(RUN) $(call config,classification,train demo$(if $(filter scratch,$*),, linear_probe)) $(CLASSIFY) $(call into,classification_$*) $(call few_labels,$*)

$D/classification_%/eval/metrics.json: $D/classification_%/models/model.json
	@echo "==> 6/8 measuring classification ($*) on held-out phantoms"
	@$(RUN) $(call config,classification,train demo$(if $(filter scratch,$*),, linear_probe) evaluate) $(CLASSIFY) $(call into,classification_$*) --overwrite True

$(foreach start,t3d shuffled,$(eval $D/zero_shot_$(start)/metrics.json: $D/$(start)/models/encoder.json))

$D/zero_shot_%/metrics.json:
	@echo "==> 7/8 scoring findings of held-out phantoms by words alone ($*)"
	@$(RUN) $(call config,pretrain,inference zero_shot) --datalist_file "$D/data/datalist.json" \
		--prompts_file "$D/data/prompts.json" --ckpt_dir "$D/$*/models" --output_dir "$D/zero_shot_$*" --overwrite True

demo-phantoms: $D/data/datalist.json
demo-pretrain: $(foreach start,$(filter-out scratch,$(DEMO_CLASSIFIED)),$D/$(start)/models/encoder.json)
demo-evaluate: $D/t3d/eval/gauges.json $D/twin/eval/gauges.json
demo-features: $D/features/done
demo-segmentation: $(DEMO_SEGMENTED:%=$D/segmentation_%/eval/metrics.json)
demo-zero-shot: $(DEMO_ZERO_SHOT:%=$D/zero_shot_%/metrics.json)
demo-classification: $(DEMO_CLASSIFIED:%=$D/classification_%/eval/metrics.json)

demo-summary: demo-pretrain demo-evaluate demo-features demo-segmentation demo-classification demo-zero-shot
	@echo "==> 8/8 writing the report page"
	@$(DEMO_PYTHON) -m t3d summary --demo_dir "$D"

# nothing that was made on the way is deleted
.SECONDARY:
