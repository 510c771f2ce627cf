"""The ROS domains of the processes on this host."""

import pytest
import rclpy

from flashdepth_ros.ros.domains import domains_in_use, domains_of_ports
from support.ros_graph import other_domain


@pytest.mark.parametrize(
    ('ports', 'expected'),
    [
        ([], set()),
        ([53, 7399, 65535], set()),
        ([7400], {0}),
        ([7410, 7411], {0}),
        ([7410], set()),
        ([7411, 7412], set()),
        ([7400 + 250 * 42 + 14, 7400 + 250 * 42 + 15, 7400 + 250 * 7], {7, 42}),
        ([7400 + 250 * 102], set()),
    ],
)
def test_domains_of_udp_ports(ports, expected):
    assert domains_of_ports(ports) == expected


def test_domain_of_a_running_node_is_found():
    domain = other_domain()
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node('elsewhere', context=context)
    try:
        assert domain in domains_in_use()
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
