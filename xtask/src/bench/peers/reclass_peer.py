"""Loads an inventory and resolves it with reclass, as `reclass --inventory` does, without printing it.

reclass_peer.py FOLDER               the whole inventory
reclass_peer.py FOLDER --json NODE.. the values of some nodes, as JSON
"""

import json
import sys

import yaml
from reclass import get_storage
from reclass.core import Core
from reclass.settings import Settings

if not yaml.__with_libyaml__:
    sys.exit("PyYAML has no C loader here; with it reclass is several times faster")

folder = sys.argv[1]
storage = get_storage("yaml_fs", f"{folder}/nodes", f"{folder}/classes", False)
core = Core(storage, None, Settings())
if sys.argv[2:3] == ["--json"]:
    print(json.dumps({node: core.nodeinfo(node)["parameters"] for node in sys.argv[3:]}))
else:
    nodes = core.inventory()["nodes"]
    print(f"{len(nodes)} servers")
    with open("/proc/self/status") as status:
        print("peak memory:", next(line.split()[1] for line in status if line.startswith("VmHWM")), "kB")
