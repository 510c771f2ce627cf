"""A managed node: whatever raises in a transition, it logs one line and reaches a known state."""

import pytest
from rclpy.lifecycle import TransitionCallbackReturn

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.node.managed_node import SUCCESS, ManagedNode

ACTIONS = ('configure', 'activate', 'deactivate', 'clean_up', 'shut_down')
TRIGGERS = ('configure', 'activate', 'deactivate', 'cleanup', 'shutdown')
STATES = ('unconfigured', 'inactive', 'active', 'inactive', 'unconfigured', 'finalized')
# The state after a failure of each action, as in the design of ROS 2 (ERROR: after `on_error`).
AFTER = ('unconfigured', 'inactive', 'unconfigured', 'unconfigured', 'finalized')


class Recorder(ManagedNode):
    """Records its actions; one of them raises."""

    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.actions, self.failing, self.error = [], '', None
        for action in ACTIONS:
            setattr(self, action, lambda action=action: self.act(action))

    def act(self, action):
        self.actions.append(action)
        if action == self.failing:
            raise self.error

    @property
    def state(self):
        return self._state_machine.current_state[1]

    def trigger(self, transition):
        return getattr(self, f'trigger_{transition}')()


@pytest.fixture
def node(graph):
    return graph.node('managed', Recorder)


def test_all_transitions(node):
    states = [node.state]
    for transition in TRIGGERS:
        assert node.trigger(transition) == SUCCESS
        states.append(node.state)
    assert tuple(states) == STATES
    assert tuple(node.actions) == ACTIONS


@pytest.mark.parametrize('error', [ConfigError('bad'), KeyError('bad'), MemoryError('bad')])
@pytest.mark.parametrize(('failing', 'after'), [*zip(ACTIONS, AFTER, strict=True)])
def test_failing_transition_is_one_line_and_leaves_a_known_state(
    node, capfd, failing, after, error
):
    for transition in TRIGGERS[: ACTIONS.index(failing)]:
        assert node.trigger(transition) == SUCCESS
    capfd.readouterr()
    node.failing, node.error = failing, error
    result = node.trigger(TRIGGERS[ACTIONS.index(failing)])
    assert isinstance(result, TransitionCallbackReturn)
    assert (result == SUCCESS) == (failing == 'shut_down')
    assert node.state == after
    line = capfd.readouterr().err.splitlines()[0]
    assert '[ERROR]' in line
    assert 'bad' in line
    assert ('KeyError' in line) == isinstance(error, KeyError)


def test_what_was_prepared_before_a_failure_is_released(node):
    node.failing, node.error = 'configure', KeyError('bad')
    node.trigger('configure')
    assert node.actions == ['configure', 'clean_up']
    node.failing = ''
    assert node.trigger('configure') == SUCCESS
