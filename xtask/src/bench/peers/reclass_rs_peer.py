"""Loads an inventory and resolves it with reclass-rs, without printing it.

reclass_rs_peer.py FOLDER               the whole inventory
reclass_rs_peer.py FOLDER --json NODE.. the values of some nodes, as JSON
"""

import json
import sys

from reclass_rs import Reclass

reclass = Reclass(inventory_path=sys.argv[1])
if sys.argv[2:3] == ["--json"]:
    print(json.dumps({node: reclass.nodeinfo(node).parameters for node in sys.argv[3:]}))
else:
    inventory = reclass.inventory()
    print(f"{len(reclass.nodes)} servers")
    with open("/proc/self/status") as status:
        print("peak memory:", next(line.split()[1] for line in status if line.startswith("VmHWM")), "kB")
