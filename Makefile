# Two commands: `make demo` and `make test`. Each sets up what it needs, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/pip --disable-pip-version-check install --constraint constraints.txt

# The libraries of a sourced ROS would mix with those of the wheels.
unexport AMENT_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH

.PHONY: demo test lint type colcon install clean

demo: $(READY)
	$(BIN)/flashdepth demo

# LAUNCH: a path from which launch and launch_ros can be imported; see CONTRIBUTING.md.
test: lint type
	PYTHONPATH=$(LAUNCH) $(BIN)/python -m pytest $(PYTEST)

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

type: $(READY)
	$(BIN)/mypy

colcon: $(READY)
	$(BIN)/colcon build
	$(BIN)/colcon test --event-handlers console_direct+ --pytest-args $(PYTEST)
	$(BIN)/colcon test-result --verbose

install: $(READY)

$(READY): setup.py constraints.txt test/requirements.txt
	@echo '== one-time set-up: ROS 2, PyTorch and the package into $(VENV) (about 1 GB, some minutes)'
	@$(PYTHON) -m venv $(VENV) || { echo 'on Ubuntu and Debian: sudo apt install python3-venv'; exit 1; }
	$(PIP) --editable '.[jazzy,bags,evaluation,openvino,int8,simulation,training]' \
		--requirement test/requirements.txt
	@touch $(READY)

clean:
	rm -rf $(VENV) build install log demo_output *.egg-info
