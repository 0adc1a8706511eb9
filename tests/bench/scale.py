"""Leman with many remote entries and networks: what a packet of one network costs beside them."""
import json

import yaml

import ways
from ways import labs

# (networks, remote entries in all of them)
SIZES = ((1, 1), (1, 1_000), (1, 100_000), (1_000, 1_000), (1_000, 100_000))
VTEPS = 60  # hosts that the entries are spread over


class CrowdedLeman(ways.Leman):
    def __init__(self, networks, remotes):
        super().__init__(f"networks: {networks:,}, entries: {remotes:,}", f"n{networks}r{remotes}")
        self._networks, self._remotes = networks, remotes

    def fill(self):
        for host in self.lab.hosts.values():
            state = yaml.safe_load(host.state_path.read_text())
            host.rewrite(json.dumps(self._with_crowd(state)))
            host.leman("reload", timeout=120)
            status = host.status()
            # The few machines of the lab are among them.
            if status["fdb_entries"] < self._remotes or status["networks"] != self._networks:
                raise AssertionError(f"{self.name}: the agent has not all of it: {status}")

    def _with_crowd(self, state):
        """The lab's network gets its share of the remotes, the others are new."""
        blue = state["networks"][0]
        crowd = [blue] + [{"name": f"net-{n}", "vni": 20000 + n, "remotes": []}
                          for n in range(1, self._networks)]
        share = self._remotes // self._networks
        for n, network in enumerate(crowd):
            network["remotes"] += [
                {"mac": (0x02 << 40 | n << 24 | r).to_bytes(6, "big").hex(":"),
                 "addresses": [f"10.{16 + (r >> 16)}.{r >> 8 & 255}.{r & 255}"],
                 "vtep": f"192.168.1.{1 + r % VTEPS}"}
                for r in range(share - len(network["remotes"]))]
        return {**state, "networks": crowd}


def find_ways(quick):
    return [CrowdedLeman(*size) for size in SIZES if not quick or size[1] == 1_000]
