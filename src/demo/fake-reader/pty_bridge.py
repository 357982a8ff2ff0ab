"""Makes a pseudo-terminal, prints its device, and carries bytes between it and this process's input and output."""
import os
import pty
import select
import tty

master, slave = pty.openpty()
tty.setraw(slave)
os.write(1, (os.ttyname(slave) + "\n").encode())
while True:
    # The slave stays open here, so that the master outlives whoever opens and closes the device.
    ready, _, _ = select.select([0, master], [], [])
    if master in ready:
        os.write(1, os.read(master, 4096))
    if 0 in ready:
        part = os.read(0, 4096)
        if not part:
            break
        os.write(master, part)
