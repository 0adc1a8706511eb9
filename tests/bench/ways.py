"""The ways traffic goes from one machine to another, each between namespaces of its own. What they
have in common: underlay of MTU 1600, one cable between two hosts, machines of MTU 1500 with one cable
to their host, all offloads on."""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import lab as labs  # noqa: E402  (found by the line above)
import openvswitch  # noqa: E402

PROBE = labs.BUILD / "tests/bench/probe"
SERVER = "10.0.1.11"
VNI = 10001
HOSTS = ("192.168.1.101", "192.168.1.102")
BARE, LEMAN, GENEVE = "bare veth", "Leman", "Linux geneve + bridge"


class Way:
    """Two namespaces, `client` and `server`, with 10.0.1.10 and 10.0.1.11."""

    def __init__(self, name):
        self.name = name
        self.client = self.server = None
        self._made = []
        self._answering = None

    def up(self):
        raise NotImplementedError

    def down(self):
        if self._answering:
            self._answering.kill()
            self._answering.wait()
        for netns in self._made:
            labs.remove_netns(netns)

    def netns(self, tag):
        self._made.append(labs.make_netns(tag))
        return self._made[-1]

    def answer(self):
        """Once it is up: starts the far end of all measurements, and waits until it is reached."""
        self._answering = subprocess.Popen(
            [*labs.enter(self.server), PROBE, "serve"], stdout=subprocess.PIPE, text=True)
        if self._answering.stdout.readline() != "ready\n":
            sys.exit(f"{self.name}: {PROBE} does not listen")
        labs.wait_for(lambda: labs.run(["ping", "-n", "-c", 1, "-W", 1, SERVER], netns=self.client,
                                       check=False).returncode == 0, f"{self.name}: ping", 30)

    def probe(self, *words):
        done = labs.run([PROBE, words[0], SERVER, *words[1:]], netns=self.client, timeout=120)
        return json.loads(done.stdout)


class BareVeth(Way):
    def up(self):
        self.client, self.server = self.netns("bare-a"), self.netns("bare-b")
        labs.run(["ip", "link", "add", "eth0", "netns", self.client, "type", "veth", "peer", "name",
                  "eth0", "netns", self.server])
        for netns, last in ((self.client, 10), (self.server, 11)):
            ip(netns, f"address add 10.0.1.{last}/24 dev eth0", "link set eth0 up")


class Leman(Way):
    """`feature`: more keys for the lab file, by its sections; `hosts`: their addresses."""

    def __init__(self, name, tag, hosts=HOSTS, **feature):
        super().__init__(name)
        machine = {"network": "blue", **feature.get("machine", {})}
        self.lab = labs.Lab(
            tag,
            hosts=[{"name": f"host-{which}", "addresses": [f"{address}/{64 if ':' in address else 24}"]}
                   for which, address in zip("ab", hosts)],
            networks=[{"name": "blue", "vni": VNI, **feature.get("network", {})}],
            machines=[{"name": "vm-1", "host": "host-a", "mac": "aa:bb:cc:dd:ee:f0",
                       "addresses": ["10.0.1.10/24"], **machine},
                      {"name": "vm-2", "host": "host-b", "mac": "aa:bb:cc:dd:ee:10",
                       "addresses": ["10.0.1.11/24"], **machine}],
            underlay=feature.get("underlay"))

    def up(self):
        self.lab.up()
        self.client, self.server = self.lab.netns("vm-1"), self.lab.netns("vm-2")
        self.fill()
        # The datapath goes on without them; an audit by one of so many would be measured, too.
        for host in self.lab.hosts.values():
            host.kill(signal.SIGTERM)

    def fill(self):
        """More for the agents to write."""

    def down(self):
        super().down()
        self.lab.down()

    def program(self, host, hook):
        """Where a host's program is pinned."""
        return next(self.lab.hosts[host].pin_root.glob(f"v*/{hook}"))


class TwoHosts(Way):
    """Hosts and machines made by hand, without what connects them on the hosts."""

    def __init__(self, name, tag):
        super().__init__(name)
        self.tag = tag

    def up(self):
        hosts = [self.netns(f"{self.tag}-h{i}") for i in range(2)]
        self.client, self.server = machines = [self.netns(f"{self.tag}-m{i}") for i in range(2)]
        labs.run(["ip", "link", "add", "eth0", "mtu", 1600, "netns", hosts[0], "type", "veth", "peer",
                  "name", "eth0", "mtu", 1600, "netns", hosts[1]])
        for i, (host, machine) in enumerate(zip(hosts, machines)):
            ip(host, f"address add {HOSTS[i]}/24 dev eth0", "link set eth0 up",
               f"link add port0 mtu 1500 type veth peer name eth0 mtu 1500 netns {machine}",
               "link set port0 up")
            ip(machine, f"address add 10.0.1.{10 + i}/24 dev eth0", "link set eth0 up")
            self.connect(host, HOSTS[i], HOSTS[1 - i])

    def connect(self, host, local, remote):
        raise NotImplementedError


class LinuxTunnel(TwoHosts):
    """A kernel tunnel device in a bridge with the machine's cable: what one would build with `ip`."""

    DEVICES = {"vxlan": f"vxlan id {VNI} dstport 4789 dev eth0", "geneve": f"geneve id {VNI}"}

    def connect(self, host, local, remote):
        ip(host, f"link add tun0 mtu 1500 type {self.DEVICES[self.tag]} remote {remote}",
           "link add br0 type bridge forward_delay 0", "link set tun0 master br0",
           "link set port0 master br0", "link set br0 up", "link set tun0 up")


class OpenVSwitch(TwoHosts):
    """Its kernel datapath with a geneve port."""

    def __init__(self, name, tag):
        super().__init__(name, tag)
        self._switches = []
        self._directory = tempfile.TemporaryDirectory(prefix="leman-bench-")

    def connect(self, host, local, remote):
        switch = openvswitch.Switch(host, pathlib.Path(self._directory.name) / local)
        self._switches.append(switch)
        switch.open()
        switch.vsctl("add-br", "br0", "--", "add-port", "br0", "port0", "--", "set", "interface",
                     "port0", "ofport_request=1", "--", "add-port", "br0", "tun0", "--", "set",
                     "interface", "tun0", "type=geneve", "ofport_request=2",
                     f"options:remote_ip={remote}", f"options:local_ip={local}", f"options:key={VNI}")
        switch.ofctl("-O", "OpenFlow13", "replace-flows", "br0", "-",
                     input="\n".join(self.flows()) + "\n")

    def flows(self):
        return ["actions=NORMAL"]

    def down(self):
        for switch in self._switches:
            switch.close()
        super().down()  # with the namespaces go the bridges
        self._directory.cleanup()


class StatefulOpenVSwitch(OpenVSwitch):
    """The same with a security group in the kernel's connection tracking: a machine may open what it
    likes, from outside some services are open, and what belongs to a connection passes."""

    def flows(self):
        track = "ct(commit,zone=1),NORMAL"
        return ["table=0,priority=2,arp,actions=NORMAL",
                "table=0,priority=1,ip,actions=ct(table=1,zone=1)",
                "table=1,priority=3,ct_state=+trk+est-new,ip,actions=NORMAL",
                "table=1,priority=3,ct_state=+trk+rel-new,ip,actions=NORMAL",
                f"table=1,priority=2,ct_state=+trk+new,ip,in_port=1,actions={track}",
                *(f"table=1,priority=2,ct_state=+trk+new,{service},in_port=2,actions={track}"
                  for service in ("icmp", "tcp,tp_dst=5298/0xfffe", "udp,tp_dst=5299")),
                "table=1,priority=1,actions=drop"]


def ip(netns, *lines):
    labs.run(["ip", "-n", netns, "-batch", "-"], input="\n".join(lines) + "\n")


def leman_features():
    """What of the state file costs something, each alone."""
    option = {"class": 0xFFF0, "type": 1, "data": "0a0b0c0d"}
    return [
        Leman("Leman, an option on every packet", "options", network={"options": [option]}),
        Leman("Leman, DSCP copied both ways", "dscp", network={"dscp": "copy", "dscp_decap": "copy"}),
        Leman("Leman, outer UDP checksum", "checksum", underlay={"udp_checksum": "required"}),
        Leman("Leman over IPv6, checksum zero", "ipv6", underlay={"udp_checksum": "zero"},
              hosts=("2001:db8:1::101", "2001:db8:1::102")),
        Leman("Leman without port security", "open", machine={"security": False}),
    ]


def kernel_makes(kind):
    """Whether this kernel has tunnel devices of the kind."""
    netns = labs.make_netns("probe")
    try:
        return labs.run(["ip", "-n", netns, "link", "add", "probe0", "type",
                         *LinuxTunnel.DEVICES[kind].replace("eth0", "lo").split(), "remote",
                         HOSTS[1]], check=False).returncode == 0
    finally:
        labs.remove_netns(netns)


def find_ways():
    """What can be measured here, and what cannot: name → reason."""
    ways, missing = [BareVeth(BARE)], {}
    for kind, name in (("geneve", GENEVE), ("vxlan", "Linux vxlan + bridge")):
        if kernel_makes(kind):
            ways.append(LinuxTunnel(name, kind))
        else:
            missing[name] = f"this kernel has no {kind} device"
    return [*ways, Leman(LEMAN, "bench"), *leman_features()], missing


def find_switches():
    """The same of Open vSwitch. To be asked for when all else is measured: its kernel module turns
    connection tracking on in every namespace of the machine, and each packet pays for that."""
    reason = None
    if any(shutil.which(tool) is None for tool in openvswitch.TOOLS):
        reason = "it is not installed; tools/setup.sh run installs it"
    elif labs.run(["genl", "ctrl", "get", "name", "ovs_datapath"], check=False).returncode != 0:
        reason = "this kernel has no openvswitch datapath"
    if reason:
        return [], {"Open vSwitch": reason}
    return [OpenVSwitch("OVS kernel + geneve", "ovs"),
            StatefulOpenVSwitch("OVS kernel + geneve + ct", "ovs-ct")], {}
