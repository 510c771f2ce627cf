"""What the documents say of the parameters is what the code says."""

import re

import yaml

from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime.settings import described
from support.paths import ROOT


def test_config_file_holds_every_parameter_at_its_default():
    (node,) = yaml.safe_load((ROOT / 'config' / 'depth.yaml').read_text()).values()
    defaults = {name: each.default for name, each, _ in described(Parameters)}
    assert node['ros__parameters'] == defaults


def test_readme_tables_every_parameter_with_its_default_and_text():
    readme = (ROOT / 'README.md').read_text()
    rows = re.findall(r'^\| `([a-z_.]+)` \| `(.*?)` \| (.*?) \| (.*?) \|$', readme, re.MULTILINE)
    expected = [
        (
            name,
            str(each.default).lower() if isinstance(each.default, bool) else repr(each.default),
            'any time' if description.dynamic else 'before configure',
            description.text,
        )
        for name, each, description in described(Parameters)
    ]
    assert [row for row in rows if row[2] in ('any time', 'before configure')] == expected
