#!/usr/bin/env python3
"""The state file: wrong in many ways, half-written, being written, unreadable, gone, and replaced in
every way that editors and tools know. A wrong one is told with file, line and key, and changes nothing;
a good one is taken over without being asked and clears it."""
import os
import pathlib
import re
import shutil
import signal
import unittest

import lab as labs
import traffic

GOOD = """host: host-a
underlay:
  device: eth0
  addresses: [192.168.1.101]
networks:
  - name: blue
    vni: 10001
    ports:
      - { name: vm-1, device: port-vm1, mac: "aa:bb:cc:dd:ee:f0", addresses: [10.0.1.10] }
    remotes:
      - { mac: "aa:bb:cc:dd:ee:10", addresses: [10.0.1.11], vtep: 192.168.1.102 }
"""

# What is replaced by what, then line and key of the fault, and words that must be in its text.
FAULTS = [
    ("vni: 10001", "vni: 16777216", 7, "networks[0].vni", "16777215"),
    ("vni: 10001", "vni: blue", 7, "networks[0].vni", "number"),
    ("aa:bb:cc:dd:ee:10", "aa:bb:cc:dd:ee", 11, "networks[0].remotes[0].mac", "MAC"),
    ("aa:bb:cc:dd:ee:10", "aa:bb:cc:dd:ee:f0", 11, "networks[0].remotes[0].mac", ""),
    ("[10.0.1.11]", "[10.0.1.300]", 11, "networks[0].remotes[0].addresses", "10.0.1.300"),
    ("vtep: 192.168.1.102", "vtep: 192.168.1.101", 11, "networks[0].remotes[0].vtep", ""),
    ("vtep: 192.168.1.102", 'vtep: "fd00::1"', 11, "networks[0].remotes[0].vtep", ""),
    ("vtep: 192.168.1.102", 'vtep: "fe80::1"', 11, "networks[0].remotes[0].vtep", "link-local"),
    ("  device: eth0", "  device: eth0\n  colour: green", 4, "underlay.colour", ""),
    ("  device: eth0", "  device: eth0\n  ttl: 0", 4, "underlay.ttl", "255"),
    ("  device: eth0\n", "", 3, "underlay.device", ""),
    ("    vni: 10001\n", "    vni: 10001\n    vni: 10002\n", 8, "networks[0].vni", ""),
    ("    vni: 10001\n", "    vni: 10001\n    dscp: 64\n", 8, "networks[0].dscp", "63"),
    ("    vni: 10001\n", "    vni: 10001\n    options: [{ class: 0xFFF0, type: 1, data: \"0a0b0c0d0e\" }]\n",
     8, "networks[0].options[0].data", "4"),
    ("    vni: 10001\n", "    vni: 10001\n    learning: maybe\n", 8, "networks[0].learning", "true"),
]


class StateFileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("state", inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]

    def setUp(self):
        self.host.apply(GOOD)
        self.assertEqual(self.host.problems(), [])

    def maps(self):
        return [self.host.map_dump(name) for name in ("lm_ports", "lm_networks", "lm_fdb",
                                                      "lm_neigh", "lm_vteps", "lm_flood")]

    def wait_problem(self, text):
        return labs.wait_for(
            lambda: [one for one in self.host.problems() if text in one] or None,
            f"a problem with {text!r}")

    def test_each_fault_is_told_with_file_line_and_key_and_changes_nothing(self):
        """Proves: G-3.4-27, G-3.5-11, G-4291-01, T-2003-06"""
        before, revision = self.maps(), self.host.status()["revision"]
        for old, new, line, key, words in FAULTS:
            with self.subTest(key=key, new=new):
                self.assertIn(old, GOOD)
                self.host.rewrite(GOOD.replace(old, new, 1))
                start = f"{self.host.state_path}:{line}: {key}"
                told = self.wait_problem(start)[0]
                sentence = next(row for row in told.splitlines() if start in row)
                self.assertRegex(sentence, re.escape(start) + r"[^ ]*: .+; .+")
                self.assertIn(words, sentence)
                answer = self.host.leman("reload", check=False)
                self.assertEqual(answer.returncode, 1)
                self.assertIn(start, answer.stderr)
                check = labs.run([labs.AGENT, "--check", "--state", self.host.state_path],
                                 check=False)
                self.assertEqual(check.returncode, 3)
                self.assertIn(start, check.stderr)
        self.assertEqual(self.maps(), before)
        status = self.host.status()
        self.assertEqual((status["revision"], status["state"], status["degraded"]),
                         (revision, "ready", True))
        traffic.ping(self.lab, "vm-1", "10.0.1.11", count=1)
        self.host.rewrite(GOOD)
        labs.wait_for(lambda: not self.host.status()["degraded"], "a good file clears the problem")

    def vnis(self):
        return [row["vni"] for row in self.host.ask("networks")]

    def wait_vni(self, vni):
        labs.wait_for(lambda: self.vnis() == [vni], f"the state with VNI {vni} is taken over")

    def wait_well(self):
        labs.wait_for(lambda: not self.host.problems(), "no problem is left")

    def test_half_written_and_closed(self):
        """In pieces, each closed: the agent sees them all and must end with the last. A piece that is
        no state changes nothing."""
        before = self.maps()
        more = GOOD.replace("    remotes:\n", "    remotes:\n      - { mac: \"02:00:00:00:00:55\", "
                            "addresses: [10.0.1.55], vtep: 192.168.1.105 }\n")
        for half in ("", more[:len(more) // 2]):
            self.host.state_path.write_text(half)
            self.wait_problem(str(self.host.state_path))
            self.assertEqual(self.maps(), before)
        self.host.state_path.write_text(more)
        labs.wait_for(lambda: len(self.host.map_dump("lm_fdb")) == 3, "the third entry is there")
        self.wait_well()

    def test_being_written(self):
        """Half of a state may be a state, one without remotes here: while somebody has the file open
        for writing it is not read, whoever asks."""
        before, revision = self.maps(), self.host.status()["revision"]
        half, rest = GOOD.split("    remotes:\n")
        with open(self.host.state_path, "w", encoding="utf-8") as file:
            file.write(half)
            file.flush()
            answer = self.host.leman("reload", check=False)
            self.assertEqual(answer.returncode, 1)
            self.assertIn("is being written", answer.stderr)
            os.kill(self.host.pid(), signal.SIGHUP)
            self.host.leman("reload", check=False)  # answered after the signal was
            self.assertEqual(self.host.problems(), [])
            self.assertEqual((self.maps(), self.host.status()["revision"]), (before, revision))
            file.write(f"    remotes:\n{rest}".replace("10.0.1.11", "10.0.1.12"))
        labs.wait_for(lambda: self.host.status()["revision"] > revision, "it is read when closed")
        self.assertNotEqual(self.maps(), before)
        self.assertEqual(len(self.host.map_dump("lm_fdb")), 2)

    def test_started_while_it_is_written(self):
        before = self.maps()
        half, rest = GOOD.split("    remotes:\n")
        self.host.kill()
        log_size = self.host.log_path.stat().st_size
        with open(self.host.state_path, "w", encoding="utf-8") as file:
            file.write(half)
            file.flush()
            self.host.start(wait=False)
            # The agent has come to it when it holds the lock.
            labs.wait_for(lambda: (self.host.run_dir / "agent.lock").read_text() ==
                          f"{self.host.agent.pid}\n", "the agent starts")
            self.assertNotIn("config loaded", self.host.log_path.read_text()[log_size:])
            file.write(f"    remotes:\n{rest}")
        self.host.wait_ready()
        self.assertEqual(self.maps(), before)

    def test_missing_file(self):
        before = self.maps()
        self.host.state_path.unlink()
        told = self.wait_problem(str(self.host.state_path))
        self.assertIn("cannot read", told[0])
        answer = self.host.leman("reload", check=False)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(str(self.host.state_path), answer.stderr)
        self.assertEqual(self.maps(), before)
        self.host.rewrite(GOOD)
        self.wait_well()

    def test_something_that_is_no_file(self):
        before = self.maps()
        path = self.host.state_path
        for make, remove in ((os.mkfifo, os.unlink), (os.mkdir, os.rmdir)):
            path.unlink()
            make(path)
            self.wait_problem("it is no regular file")
            self.assertEqual(self.maps(), before)
            remove(path)
            self.host.rewrite(GOOD)
            self.wait_well()

    def test_unreadable(self):
        """Root reads anything, unless it lacks the capability to."""
        path = self.host.state_path
        self.host.kill()
        self.host.agent_wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        self.addCleanup(setattr, self.host, "agent_wrapper", [])
        self.host.start()
        before = self.maps()
        path.chmod(0)
        told = self.wait_problem(str(path))
        self.assertIn("Permission denied", told[0])
        self.assertEqual(self.maps(), before)
        path.chmod(0o644)
        self.wait_well()

    def test_ways_to_replace_it(self):
        """Each as editors and tools do it; all are seen without being asked."""
        path = self.host.state_path
        texts = iter(GOOD.replace("vni: 10001", f"vni: {vni}") for vni in range(10002, 11000))

        def renamed_over(text):
            labs.write_by_rename(path, text)

        def in_place(text):
            path.write_text(text)

        def in_place_and_shorter(text):
            with open(path, "r+", encoding="utf-8") as file:
                file.write(text)
                file.truncate()

        def in_pieces(text):
            with open(path, "w", encoding="utf-8") as file:
                for piece in text.splitlines(keepends=True):
                    file.write(piece)
                    file.flush()

        def old_one_kept(text):
            os.replace(path, path.with_suffix(".bak"))
            path.write_text(text)

        def deleted_and_made(text):
            path.unlink()
            path.write_text(text)

        def linked(text):
            other = path.with_name("other")
            other.write_text(text)
            path.unlink()
            os.link(other, path)
            other.unlink()

        def without_a_name_first(text):
            file = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY)
            os.write(file, text.encode())
            path.unlink()
            # Only with a directory Python has the link followed.
            os.link(f"/proc/self/fd/{file}", path, src_dir_fd=file, follow_symlinks=True)
            os.close(file)

        def sed(text):
            vni = re.search(r"vni: \d+", text).group()
            labs.run(["sed", "-i", rf"s/vni: [0-9]*/{vni}/", path])

        def renamed_while_open(text):
            with open(path.with_name("open"), "w", encoding="utf-8") as file:
                file.write(text[:40])
                file.flush()
                os.replace(file.name, path)
                file.write(text[40:])

        for way in (renamed_over, in_place, in_place_and_shorter, in_pieces, old_one_kept,
                    deleted_and_made, linked, without_a_name_first, sed, renamed_while_open):
            for _ in range(3):
                with self.subTest(way.__name__):
                    text = next(texts)
                    way(text)
                    self.wait_vni(int(re.search(r"vni: (\d+)", text).group(1)))
                    self.wait_well()

    def test_symbolic_link_that_is_swapped(self):
        path = pathlib.Path(self.host.state_path)
        for number in (1, 2):
            path.with_name(f"real-{number}").write_text(
                GOOD.replace("vni: 10001", f"vni: {10010 + number}"))
        for number in (1, 2):
            fresh = path.with_name("link.new")
            fresh.symlink_to(path.with_name(f"real-{number}"))
            fresh.replace(path)
            self.wait_vni(10010 + number)
        path.unlink()

    def take_state_from(self, path, directory):
        """Has the agent take its state from another path; the directory goes at the end."""
        usual = self.host.state_path

        def back():
            self.host.kill()
            self.host.state_path = usual
            self.host.rewrite(GOOD)
            self.host.start()
            shutil.rmtree(directory)

        self.host.kill()
        self.host.state_path = path
        self.addCleanup(back)
        self.host.start()

    def test_config_map(self):
        """A volume of Kubernetes: ..data points to a directory of its time, the names to ..data."""
        volume = self.host.run_dir / "volume"
        volume.mkdir()

        def publish(vni):
            fresh = volume / f"..{vni}"
            fresh.mkdir()
            (fresh / "state.yaml").write_text(GOOD.replace("vni: 10001", f"vni: {vni}"))
            before = os.readlink(volume / "..data") if (volume / "..data").is_symlink() else None
            (volume / "..data_tmp").symlink_to(fresh.name)
            (volume / "..data_tmp").replace(volume / "..data")
            if before:
                shutil.rmtree(volume / before)

        publish(10020)
        (volume / "state.yaml").symlink_to("..data/state.yaml")
        self.take_state_from(volume / "state.yaml", volume)
        self.wait_vni(10020)
        for vni in range(10021, 10026):
            publish(vni)
            self.wait_vni(vni)
            self.wait_well()

    def test_directory_that_is_replaced(self):
        place = self.host.run_dir / "place"
        for name, vni in (("etc", 10030), ("new", 10031)):
            (place / name / "leman").mkdir(parents=True)
            (place / name / "leman/state.yaml").write_text(
                GOOD.replace("vni: 10001", f"vni: {vni}"))
        self.take_state_from(place / "etc/leman/state.yaml", place)
        self.wait_vni(10030)
        (place / "etc").rename(place / "old")
        self.wait_problem("cannot read")
        self.assertEqual(self.vnis(), [10030])
        (place / "new").rename(place / "etc")
        self.wait_vni(10031)
        self.wait_well()
        shutil.rmtree(place / "etc")
        self.wait_problem("cannot read")
        (place / "etc/leman").mkdir(parents=True)
        (place / "etc/leman/state.yaml").write_text(GOOD.replace("vni: 10001", "vni: 10032"))
        self.wait_vni(10032)
        self.wait_well()


if __name__ == "__main__":
    labs.main("setpriv")
