"""
A card reader known from the facts alone (GA/T 467 frames, GA/T 490 text), in Python's standard library: an oracle that
shares nothing with the agent or the fake reader of the demo city. Prints its port; takes `place`, `lift` and `quit` on
standard input; whoever asks anything but the exact frames is cut off.
"""
import socket
import struct
import sys
import threading

PREAMBLE = bytes.fromhex("aaaaaa9669")
SAM_ID = struct.pack("<HHIII", 5, 3, 20130909, 1234567, 4001234567 % 2**32)
PHOTO = b"PHOTO-OF-NOBODY." * 64


def text_block():
    fields = [
        ("刘䶮", 15), ("1", 1), ("01", 2), ("19920305", 8), ("示例市示例区演示路1号", 35),
        ("690101199203051010", 18), ("示例市公安局", 15), ("20200101", 8), ("长期", 8), ("", 18),
    ]
    block = b"".join(text.encode("utf-16-le") + b" \0" * (width - len(text)) for text, width in fields)
    assert len(block) == 256
    return block


def answer(status, data=b""):
    counted = struct.pack(">H", len(data) + 4) + b"\0\0" + bytes([status]) + data
    check = 0
    for byte in counted:
        check ^= byte
    return PREAMBLE + counted + bytes([check])


card = {"lies": False, "read": False}


def reply(frame):
    if frame == "aaaaaa9669000312ffee":
        return answer(0x90, SAM_ID)
    if frame == "aaaaaa96690003200122":
        return answer(0x9F, bytes(4)) if card["lies"] and not card["read"] else answer(0x80)
    if frame == "aaaaaa96690003200221":
        return answer(0x90, bytes(8)) if card["lies"] else answer(0x81)
    if frame == "aaaaaa96690003300132":
        if not card["lies"] or card["read"]:
            return answer(0x41)
        card["read"] = True
        whole = answer(0x90, struct.pack(">HH", 256, 1024) + text_block() + PHOTO)
        assert len(whole) == 1295
        return whole
    if frame == "aaaaaa96690003300536":
        return answer(0x90, bytes(28)) if card["lies"] and card["read"] else answer(0x41)
    return None


def serve(connection):
    with connection:
        while True:
            frame = connection.recv(10, socket.MSG_WAITALL)
            said = reply(frame.hex()) if len(frame) == 10 else None
            if said is None:
                if frame:
                    print("not a frame of the facts: " + frame.hex(), file=sys.stderr)
                return
            # In pieces, as a serial line brings them.
            for start in range(0, len(said), 300):
                connection.sendall(said[start:start + 300])


listener = socket.create_server(("127.0.0.1", 0))


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
print(listener.getsockname()[1], text_block().hex(), flush=True)
for line in sys.stdin:
    if line.strip() == "place":
        card.update(lies=True, read=False)
    elif line.strip() == "lift":
        card.update(lies=False, read=False)
    else:
        break
