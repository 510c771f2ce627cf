"""The settings of Fast DDS for the process of the tests."""

import atexit
from pathlib import Path
from tempfile import NamedTemporaryFile

from flashdepth_ros.ros.environment import PROFILES

_END = '</profiles>'
_NO_SHORT_CUTS = """
  <library_settings>
    <intraprocess_delivery>OFF</intraprocess_delivery>
  </library_settings>"""


def use_profile_for_many_participants(environment):
    """
    Set a profiles file with which participants of one process cannot wait for each other for ever.

    Fast DDS 2.14 delivers between participants of one process by direct calls. A publisher that is
    destroyed then needs a lock of another participant; if that one discovers the publisher at the
    same moment, each waits for the other. Only tests have several participants in a process.
    """
    files = {name: environment[name] for name in PROFILES if environment.get(name)}
    for name, file in files.items():
        text = Path(file).read_text()
        if _NO_SHORT_CUTS in text or text.count(_END) != 1:
            continue
        with NamedTemporaryFile('w', suffix='.xml', prefix='fastdds-', delete=False) as copy:
            copy.write(text.replace(_END, _END + _NO_SHORT_CUTS))
        atexit.register(Path(copy.name).unlink, missing_ok=True)
        environment[name] = copy.name
