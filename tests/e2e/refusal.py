"""Runs a command under a kernel that lacks something: each of its bpf() and mount() calls is shown to a
function that lets it pass or refuses it (seccomp user notification)."""
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import subprocess
import threading

# bpf() commands and where their attributes lie in union bpf_attr (linux/bpf.h).
MAP_CREATE, MAP_UPDATE_ELEM, PROG_LOAD, OBJ_PIN = 0, 2, 5, 6
_NAME_AT = {MAP_CREATE: 28, PROG_LOAD: 48}

_SYSCALLS = {"x86_64": {"bpf": 321, "mount": 165, "seccomp": 317},
             "aarch64": {"bpf": 280, "mount": 40, "seccomp": 277}}
_RET_USER_NOTIF, _RET_ALLOW = 0x7fc00000, 0x7fff0000
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_RECV, _SEND, _CONTINUE = 0xc0502100, 0xc0182101, 1
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_libc = ctypes.CDLL(None, use_errno=True)


class Call:
    """One bpf() or mount() that waits for its answer."""

    def __init__(self, pid, name, arguments):
        self.pid = pid
        self.name = name
        self.command = arguments[0] if name == "bpf" else None
        self._arguments = arguments

    def _memory(self, write=False):
        return open(f"/proc/{self.pid}/mem", "r+b" if write else "rb", buffering=0)

    def _read(self, address, size):
        with self._memory() as memory:
            memory.seek(address)
            return memory.read(size)

    def attributes(self):
        return self._read(self._arguments[1], min(self._arguments[2], 128)).ljust(128, b"\0")

    def object_name(self):
        """Of the map or program that is to be made."""
        at = _NAME_AT.get(self.command)
        return None if at is None else \
            self.attributes()[at:at + 16].partition(b"\0")[0].decode()

    def calls_helper(self, number):
        """Whether the program to be loaded calls the helper."""
        if self.command != PROG_LOAD:
            return False
        _, count, address = struct.unpack_from("=IIQ", self.attributes())
        text = self._read(address, count * 8)
        return any(text[at] == 0x85 and text[at + 1] >> 4 == 0 and
                   struct.unpack_from("=i", text, at + 4)[0] == number
                   for at in range(0, len(text), 8))

    def say(self, text):
        """Puts words in the verifier's mouth."""
        size, address = struct.unpack_from("=IQ", self.attributes(), 28)
        if address and size:
            with self._memory(write=True) as memory:
                memory.seek(address)
                memory.write(text.encode()[:size - 1] + b"\0")


def _filter_fd():
    """Puts the calling process under the filter; the descriptor that hears of its calls."""
    numbers = _SYSCALLS[platform.machine()]
    code = b"".join((
        struct.pack("=HBBI", 0x20, 0, 0, 0),  # load the number of the call
        struct.pack("=HBBI", 0x15, 2, 0, numbers["bpf"]),
        struct.pack("=HBBI", 0x15, 1, 0, numbers["mount"]),
        struct.pack("=HBBI", 0x06, 0, 0, _RET_ALLOW),
        struct.pack("=HBBI", 0x06, 0, 0, _RET_USER_NOTIF)))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(
        struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer)))
    fd = _libc.syscall(numbers["seccomp"], _SET_MODE_FILTER, _NEW_LISTENER, program)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return fd


def _answer(listener, decide):
    """Until nobody is left under the filter."""
    numbers = {number: name for name, number in _SYSCALLS[platform.machine()].items()}
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        if poll.poll()[0][1] & select.POLLHUP:
            return
        notification = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECV, notification)
            identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(notification)
            refusal = decide(Call(pid, numbers[number], arguments))
            fcntl.ioctl(listener, _SEND, _RESPONSE.pack(
                identity, 0, -refusal if refusal else 0, 0 if refusal else _CONTINUE))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINTR):  # the caller died meanwhile
                raise


def run(argv, decide, timeout=60):
    """Runs a command to its end; `decide(call)` gives the errno of a refusal, or 0 or None."""
    ours, theirs = socket.socketpair()

    def under_the_filter():
        fd = _filter_fd()
        socket.send_fds(theirs, [b"x"], [fd])
        os.close(fd)

    with ours, theirs:
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=under_the_filter)
        _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
    helper = threading.Thread(target=_answer, args=(listener, decide), daemon=True)
    helper.start()
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
        helper.join(5)
        os.close(listener)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)
