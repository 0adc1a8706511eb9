#!/usr/bin/env python3
"""A port with security speaks with its own MAC and addresses alone; without, with any."""
import unittest

import lab as labs
import wire

STRANGER = "02:00:00:00:00:99"


class PortSecurityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("sec", inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]

    def frames(self):
        """What it is dropped as → the frame."""
        mine, his = self.lab.mac("vm-1"), self.lab.mac("vm-2")

        def packet(source, mac):
            return wire.ethernet(his, mac, 0x0800, wire.ipv4(
                source, "10.0.1.11", 17, wire.udp(1, 5555, b"spoofed " * 8)))

        return {"port_mac": packet("10.0.1.10", STRANGER),
                "port_ip": packet("10.0.1.66", mine),
                "port_arp": wire.arp_request(mine, "10.0.1.66", "10.0.1.250")}

    def test_spoofed_frames_are_dropped_under_their_reason(self):
        for reason, frame in self.frames().items():
            with self.subTest(reason), wire.Ear(self.lab.netns("vm-2")) as ear, \
                    wire.Mouth(self.lab.netns("vm-1")) as mouth:
                before = self.host.verdicts()[("port", reason)]
                mouth.say(frame)
                labs.wait_for(lambda: self.host.verdicts()[("port", reason)] == before + 1,
                              f"one {reason} is counted")
                self.assertNotIn(frame, ear.drain())

    def test_switched_off_they_pass(self):
        text = self.host.state_path.read_text()
        self.addCleanup(self.host.apply, text)
        self.host.apply(text.replace("security: true", "security: false"))
        for reason, frame in self.frames().items():
            with self.subTest(reason), wire.Ear(self.lab.netns("vm-2")) as ear, \
                    wire.Mouth(self.lab.netns("vm-1")) as mouth:
                mouth.say(frame)
                ear.wait(lambda got, frame=frame: got[:len(frame)] == frame, f"{reason} passes")


if __name__ == "__main__":
    labs.main()
