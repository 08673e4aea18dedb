#!/usr/bin/env python3
"""Records docs/images/stop.svg: a thousand checks that end at Ctrl-C.

Needs termtosvg, and the health-checker of the preset release:
    cmake --preset release && cmake --build --preset release --target health_checker
    python3 docs/images/record_stop.py
"""

import fcntl
import os
import pathlib
import pty
import socket
import struct
import tempfile
import termios
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS, LINES = 88, 24
SECONDS_OF_WORK = 7
SERVICES = ["api", "billing", "cache", "gateway", "ledger", "mail", "orders", "search", "session", "worker"]


def accept_all(server: socket.socket) -> None:
    while True:
        server.accept()[0].close()


def config(port: int, closed_port: int) -> str:
    text = '[defaults]\nperiod = "2s"\ntimeout = "1s"\n'
    for number in range(1000):
        name = f"{SERVICES[number % 10]}-{number // 10:02}"
        # Some have something to tell.
        target = closed_port if number % 97 == 96 else port
        text += f'[[check]]\nname = "{name}"\ntype = "tcp"\nhost = "127.0.0.1"\nport = {target}\n'
    return text


def record(command: str, output: pathlib.Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        # A frame at most every 0.7 s, and four seconds for the last one.
        os.execvp("termtosvg", ["termtosvg", str(output), "-g", f"{COLUMNS}x{LINES}", "-m", "700",
                                "-D", "4000", "-c", command])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    threading.Timer(SECONDS_OF_WORK, os.write, (terminal, b"\x03")).start()
    while True:
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:  # the other end has closed
            break
    os.waitpid(pid, 0)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed, \
            tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        closed.bind(("127.0.0.1", 0))  # and never listens
        threading.Thread(target=accept_all, args=(server,), daemon=True).start()
        file.write(config(server.getsockname()[1], closed.getsockname()[1]))
        file.flush()
        program = ROOT / "build/release/bin/health_checker"
        os.environ["TERM"] = "xterm-256color"
        record(f"{program} --config {file.name}", ROOT / "docs/images/stop.svg")


main()
