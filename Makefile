# Each target makes the virtual environment it needs, once; PYTHON may be any Python 3.10 to 3.12.
PYTHON ?= python3
DEMO_DIR ?= demo
DEMO_CASES ?= 160
DEMO_SEED ?= 0

# Small tensors run slower on many threads, and plots need no screen.
export OMP_NUM_THREADS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -lt 4 ] && echo $$n || echo 4)
export MPLBACKEND = Agg
export PYTHON

TEST_PYTHON = .venv-test/bin/python
DEMO_PYTHON = .venv-demo/bin/python
BUNDLE = bundles/t3d_pretrain
TRAIN = '$(BUNDLE)/configs/train.json','$(BUNDLE)/configs/demo.json'
RUN = $(DEMO_PYTHON) -m monai.bundle run --bundle_root $(BUNDLE) --dataset_dir "$(DEMO_DIR)/data" \
	--ckpt_dir "$(DEMO_DIR)/models"

.PHONY: help test lint format demo demo-phantoms demo-pretrain demo-evaluate demo-features demo-summary
.NOTPARALLEL:

help:
	@echo "make test      run the tests"
	@echo "make lint      check style and format"
	@echo "make format    mend style and format"
	@echo "make demo      phantoms, pre-training, evaluation, features and a summary, into $(DEMO_DIR)/"
	@echo "               its steps alone: demo-phantoms demo-pretrain demo-evaluate demo-features demo-summary"

.venv-test/ready: pyproject.toml scripts/environment.sh
	@scripts/environment.sh .venv-test dev
	@touch $@

.venv-demo/ready: pyproject.toml scripts/environment.sh
	@scripts/environment.sh .venv-demo demo
	@touch $@

test: .venv-test/ready
	@echo "==> running the tests"
	@OMP_NUM_THREADS=1 $(TEST_PYTHON) -m pytest -q

lint: .venv-test/ready
	@echo "==> checking style and format"
	@$(TEST_PYTHON) -m ruff check .
	@$(TEST_PYTHON) -m ruff format --check .

format: .venv-test/ready
	@$(TEST_PYTHON) -m ruff check --fix .
	@$(TEST_PYTHON) -m ruff format .

demo: demo-phantoms demo-pretrain demo-evaluate demo-features demo-summary
	@echo "==> done: see $(DEMO_DIR)/summary.md and $(DEMO_DIR)/summary.png"

demo-phantoms: .venv-demo/ready
	@echo "==> 1/5 making $(DEMO_CASES) phantom CTs with reports in $(DEMO_DIR)/data"
	@$(DEMO_PYTHON) -m t3d phantoms --out_dir "$(DEMO_DIR)/data" --cases $(DEMO_CASES) --seed $(DEMO_SEED) --shape 64

demo-pretrain: .venv-demo/ready
	@echo "==> 2/5 pre-training into $(DEMO_DIR)/models (goes on where it was stopped)"
	@$(RUN) --config_file "[$(TRAIN)]" --output_dir "$(DEMO_DIR)/eval"

demo-evaluate: .venv-demo/ready
	@echo "==> 3/5 evaluating on held-out phantoms into $(DEMO_DIR)/eval"
	@$(RUN) --config_file "[$(TRAIN),'$(BUNDLE)/configs/evaluate.json']" --output_dir "$(DEMO_DIR)/eval"

demo-features: .venv-demo/ready
	@echo "==> 4/5 computing features of the held-out phantoms into $(DEMO_DIR)/features"
	@$(RUN) --config_file "$(BUNDLE)/configs/inference.json" --output_dir "$(DEMO_DIR)/features"

demo-summary: .venv-demo/ready
	@echo "==> 5/5 writing the summary"
	@$(DEMO_PYTHON) -m t3d summary --demo_dir "$(DEMO_DIR)"
