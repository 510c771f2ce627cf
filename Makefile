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
INSTALL := --disable-pip-version-check install --constraint constraints.txt
PIP := $(BIN)/pip $(INSTALL)
CPU_TORCH := torch --index-url https://download.pytorch.org/whl/cpu

DEMO_EXTRAS := $(DISTRO),bags,openvino,torch
TEST_EXTRAS := $(DEMO_EXTRAS),evaluation,export,int8,onnx,simulation,training,test
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready

# Some tests of the node run again without PyTorch, with a model that the other environment exports.
ONNX_VENV := $(VENV)-onnx
ONNX_EXTRAS := $(DISTRO),bags,onnx,openvino,test
ONNX_READY := $(ONNX_VENV)/.test-ready
ONNX_MODEL := $(abspath $(ONNX_VENV)/flashdepth-tiny-s.onnx)
ONNX_SOURCES := $(wildcard flashdepth_ros/network/*.py) flashdepth_ros/runtime/export.py \
	flashdepth_ros/runtime/engines/onnx_graph.py test/support/exported_models.py
ONNX_TESTS := $(patsubst %,test/node/test_%.py,exported_model sequences publishers bad_input \
	reliability camera_info images)

# The libraries of a sourced ROS would mix with those of the wheels.
unexport AMENT_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH

.PHONY: demo test test-onnx lint type colcon documents install clean

demo: $(DEMO_READY)
	$(BIN)/flashdepth demo

# Kilted's rclpy has other types than Jazzy's, which the annotations are for.
test: lint $(if $(filter jazzy,$(DISTRO)),type)
	PYTHONPATH=$(LAUNCH) $(BIN)/python -m pytest --numprocesses $(PARALLEL) --dist loadfile --no-loadscope-reorder $(PYTEST)
	$(if $(PYTEST),,$(MAKE) test-onnx)

test-onnx: $(ONNX_READY) $(ONNX_MODEL)
	FLASHDEPTH_TEST_MODEL=$(ONNX_MODEL) $(ONNX_VENV)/bin/python -m pytest \
		--numprocesses $(PARALLEL) --dist loadfile --no-loadscope-reorder $(or $(PYTEST),$(ONNX_TESTS))

lint: $(TEST_READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

type: $(TEST_READY)
	$(BIN)/mypy

colcon: $(TEST_READY)
	$(BIN)/colcon build
	$(BIN)/colcon test --event-handlers console_direct+ --pytest-args $(PYTEST)
	$(BIN)/colcon test-result --verbose

install: $(TEST_READY)

$(VENV)/pyvenv.cfg $(ONNX_VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo 'Python 3.10 to 3.13 is needed, $(PYTHON) is another: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -m venv $(@D) || { echo 'on Ubuntu and Debian: sudo apt install python3-venv'; exit 1; }
	@touch $(@D)/COLCON_IGNORE

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

$(ONNX_READY): $(ONNX_VENV)/pyvenv.cfg setup.py constraints.txt
	@echo '== one-time set-up of the tests without PyTorch'
	$(ONNX_VENV)/bin/pip $(INSTALL) --editable '.[$(ONNX_EXTRAS)]' \
		pytest-rerunfailures pytest-timeout pytest-xdist
	@touch $@

$(ONNX_MODEL): $(TEST_READY) $(ONNX_SOURCES)
	@mkdir -p $(@D)
	PYTHONPATH=test $(BIN)/python -m support.exported_models $@

clean:
	rm -rf .venv .venv-* build install log demo_output *.egg-info
