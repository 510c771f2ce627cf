# Two commands: `make demo` and `make test`. Each installs what it needs, once, into a virtual
# environment of its own.
#
#   PYTHON=python3.12       the interpreter, 3.10 to 3.13
#   DISTRO=kilted           ROS 2's wheels: jazzy (the default) or kilted
#   TORCH='torch==2.13.0 --index-url URL'
#                           what pip is to install as PyTorch, with pip's own options
#   LAUNCH=PATH:PATH        where launch and launch_ros can be imported; see CONTRIBUTING.md
#   PYTEST='-k rays'        arguments for pytest
#   PARALLEL=1              how many test processes run at a time

PYTHON ?= python3
PARALLEL ?= 2
DISTRO ?= jazzy
VENV := .venv$(if $(filter-out jazzy,$(DISTRO)),-$(DISTRO))
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check install --constraint constraints.txt
CPU_TORCH := torch --index-url https://download.pytorch.org/whl/cpu

DEMO_EXTRAS := $(DISTRO),bags,openvino,torch
TEST_EXTRAS := $(DEMO_EXTRAS),evaluation,export,int8,onnx,simulation,training,test
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready

# The libraries of a sourced ROS would mix with those of the wheels.
unexport AMENT_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH

.PHONY: demo test lint type colcon documents install clean

demo: $(DEMO_READY)
	$(BIN)/flashdepth demo

# Kilted's rclpy has other types than Jazzy's, which the annotations are for.
test: lint $(if $(filter jazzy,$(DISTRO)),type)
	PYTHONPATH=$(LAUNCH) $(BIN)/python -m pytest --numprocesses $(PARALLEL) --dist loadfile --no-loadscope-reorder $(PYTEST)

lint: $(TEST_READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

type: $(TEST_READY)
	$(BIN)/mypy

colcon: $(TEST_READY)
	$(BIN)/colcon build
	$(BIN)/colcon test --event-handlers console_direct+ --pytest-args $(PYTEST)
	$(BIN)/colcon test-result --verbose

install: $(TEST_READY)

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo 'Python 3.10 to 3.13 is needed, $(PYTHON) is another: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo 'on Ubuntu and Debian: sudo apt install python3-venv'; exit 1; }
	@touch $(VENV)/COLCON_IGNORE

# PyPI's PyTorch brings gigabytes of CUDA libraries, which only an Nvidia driver can use.
$(VENV)/.torch-ready: $(VENV)/pyvenv.cfg constraints.txt
ifdef TORCH
	$(PIP) $(TORCH)
else
	@if command -v nvidia-smi >/dev/null; then \
		echo '== an Nvidia driver is here: installing PyTorch with CUDA'; $(PIP) torch; \
	else \
		echo '== no Nvidia driver: installing the CPU build of PyTorch'; \
		$(PIP) --retries 1 --timeout 20 $(CPU_TORCH) || { \
			echo "== its package index cannot be reached: installing PyPI's build, several GB"; \
			$(PIP) torch; }; \
	fi
endif
	@touch $@

$(DEMO_READY): $(VENV)/.torch-ready setup.py constraints.txt
	@echo '== one-time set-up: ROS 2 $(DISTRO) and the package into $(VENV)'
	$(PIP) --editable '.[$(DEMO_EXTRAS)]'
	@touch $@

$(TEST_READY): $(DEMO_READY) test/requirements.txt
	@echo '== one-time set-up of the tests: simulator, training, linter, type checker'
	$(PIP) --editable '.[$(TEST_EXTRAS)]' --requirement test/requirements.txt
	@touch $@

clean:
	rm -rf .venv .venv-* build install log demo_output *.egg-info
