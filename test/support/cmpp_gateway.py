"""A CMPP gateway (2.0 or 3.0), written from the frame tables of the protocol alone with Python's standard library.

Arguments: version, account, secret. Prints its port, then one JSON line for everything that happens: connect, submit,
test, terminate, answer, end, and violation for whatever the tables do not allow. Reads commands as JSON lines:
{"mode": ...}, {"report": {"id", "stat", "number": 21 or 32}}, {"write": text}, {"test": true}, {"hang-up": true},
{"terminate": true}, {"raw": hex}.
Modes: right; silent (no answer to CONNECT); late (CONNECT answered
after 0.2 s); forged (AuthenticatorISMG of another secret); refuse (status 3);
mute (no answer to SUBMIT); half (half an answer, then nothing); garbage (a length no PDU has); foreign (the answer to
another command); result-N; slow (SUBMIT answered after 0.4 s); deaf (no answer to ACTIVE_TEST).
"""
import hashlib, json, socketserver, struct, sys, threading, time

VERSION, ACCOUNT, SECRET = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode()
THREE = VERSION == '3.0'
NUMBER = 32 if THREE else 21
RESULT = '>I' if THREE else '>B'
CONNECT, TERMINATE, SUBMIT, DELIVER, ACTIVE_TEST, RESP = 1, 2, 4, 5, 8, 0x80000000
state = {'mode': 'right', 'sequence': 0, 'message': 0x0102030405060700, 'open': []}
lock = threading.Lock()


def say(event, **facts):
    with lock:
        print(json.dumps({'event': event, **facts}), flush=True)


def text(raw):
    """An octet string: left-aligned, nulls behind it and none before."""
    value = raw.rstrip(b'\0')
    if b'\0' in value:
        say('violation', why=f'null inside {raw!r}')
    return value.decode('ascii')


class Fields:
    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, length):
        part = self.body[self.at:self.at + length]
        if len(part) < length:
            say('violation', why='body too short')
        self.at += length
        return part

    def byte(self):
        return self.take(1)[0]

    def end(self):
        if self.at != len(self.body):
            say('violation', why=f'{len(self.body) - self.at} bytes too many')


def number(fields):
    value = text(fields.take(NUMBER))
    if THREE:
        kind = fields.byte()
        if kind not in (0, 1):
            say('violation', why='type of a number')
    return value


def submission(body):
    f = Fields(body)
    if f.take(8) != bytes(8):
        say('violation', why='Msg_Id must be empty')
    total, part, registered, level = f.byte(), f.byte(), f.byte(), f.byte()
    service = text(f.take(10))
    fee_user = f.byte()
    fee_number = number(f)
    pid, udhi, fmt = f.byte(), f.byte(), f.byte()
    source = text(f.take(6))
    fee_type, fee_code = text(f.take(2)), text(f.take(6))
    valid, at = text(f.take(17)), text(f.take(17))
    shown = text(f.take(21))
    count = f.byte()
    phones = []
    if THREE:
        phones = [text(f.take(32)) for _ in range(count)]
        f.byte()
    else:
        phones = [text(f.take(21)) for _ in range(count)]
    length = f.byte()
    content = f.take(length)
    if f.take(20 if THREE else 8) != bytes(20 if THREE else 8):
        say('violation', why='reserve is not empty')
    f.end()
    if not 1 <= part <= total or count != 1 or length > 140 or fmt != 8 or pid or valid or at or fee_number:
        say('violation', why='a field is out of its range')
    if source.encode() != ACCOUNT or fee_type not in ('01', '02', '03', '04', '05') or len(fee_code) != 6:
        say('violation', why='Msg_src or fee')
    if fee_user not in (0, 1, 2, 3) or registered not in (0, 1) or level > 9:
        say('violation', why='fee user, delivery or level')
    header = b''
    if udhi:
        header, content = content[:6], content[6:]
        if header[:3] != b'\x05\x00\x03' or header[4] != total or header[5] != part:
            say('violation', why='user data header')
    elif total != 1:
        say('violation', why='parts without a header')
    return {'total': total, 'part': part, 'registered': registered, 'service': service, 'source': shown,
            'phone': phones[0], 'text': content.decode('utf-16-be'), 'text_id': header[3] if header else None}


class Session(socketserver.BaseRequestHandler):
    def send(self, command, sequence, body):
        self.request.sendall(struct.pack('>III', 12 + len(body), command, sequence) + body)

    def ask(self, command, body):
        state['sequence'] += 1
        self.send(command, state['sequence'], body)

    def exactly(self, length):
        raw = b''
        while len(raw) < length:
            more = self.request.recv(length - len(raw))
            if not more:
                raise EOFError
            raw += more
        return raw

    def handle(self):
        state['open'].append(self)
        try:
            while True:
                length, command, sequence = struct.unpack('>III', self.exactly(12))
                body = self.exactly(length - 12)
                if not self.serve(command, sequence, body):
                    break
        except (EOFError, OSError):
            pass
        state['open'].remove(self)
        say('end')

    def serve(self, command, sequence, body):
        mode = state['mode']
        if command & RESP:
            say('answer', to=command & ~RESP, sequence=sequence, body=body.hex())
        elif command == CONNECT:
            return self.connect(mode, sequence, body)
        elif command == SUBMIT:
            threading.Thread(target=self.submit, args=(mode, sequence, body), daemon=True).start()
        elif command == ACTIVE_TEST:
            say('test')
            if body:
                say('violation', why='ACTIVE_TEST has a body')
            if mode != 'deaf':
                self.send(ACTIVE_TEST | RESP, sequence, b'\0')
        elif command == TERMINATE:
            say('terminate')
            self.send(TERMINATE | RESP, sequence, b'')
            return False
        else:
            say('violation', why=f'command {command}')
        return True

    def connect(self, mode, sequence, body):
        f = Fields(body)
        account, authenticator, version = f.take(6), f.take(16), f.byte()
        stamp = '%010d' % struct.unpack('>I', f.take(4))[0]
        f.end()
        china = time.gmtime(time.time() + 8 * 3600)
        fresh = abs((china.tm_mon * 100 + china.tm_mday) - int(stamp[:4])) <= 100
        right = hashlib.md5(account + bytes(9) + SECRET + stamp.encode()).digest() == authenticator
        status = 0
        if account.rstrip(b'\0') != ACCOUNT:
            status = 2
        elif not right or not fresh:
            status = 3
        elif version > (0x30 if THREE else 0x20):
            status = 4
        if mode == 'refuse':
            status = 3
        say('connect', status=status, version=version, stamp=stamp)
        if mode == 'silent':
            return True
        if mode == 'late':
            time.sleep(0.2)
        known = b'another' if mode == 'forged' else SECRET
        packed = struct.pack(RESULT, status)
        theirs = hashlib.md5(packed + authenticator + known).digest()
        self.send(CONNECT | RESP, sequence, packed + theirs + bytes([0x30 if THREE else 0x20]))
        return status == 0

    def submit(self, mode, sequence, body):
        facts = submission(body)
        state['message'] += 1
        message = struct.pack('>Q', state['message'])
        say('submit', id=message.hex(), **facts)
        result = int(mode[7:]) if mode.startswith('result-') else 0
        answer = message + struct.pack(RESULT, result)
        if mode == 'slow':
            time.sleep(0.4)
        if mode == 'mute':
            return
        if mode == 'half':
            self.request.sendall(struct.pack('>III', 12 + len(answer), SUBMIT | RESP, sequence) + answer[:4])
        elif mode == 'garbage':
            self.request.sendall(struct.pack('>III', 0xffffffff, SUBMIT | RESP, sequence))
        elif mode == 'foreign':
            self.send(ACTIVE_TEST | RESP, sequence, b'\0')
        else:
            self.send(SUBMIT | RESP, sequence, answer)


def octets(value, length):
    return value.encode('ascii').ljust(length, b'\0')


def delivery(registered, content):
    sender = octets('19900000001', NUMBER) + (b'\0' if THREE else b'')
    state['message'] += 1
    return (struct.pack('>Q', state['message']) + octets('1069', 21) + octets('A', 10) + bytes([0, 0, 8]) + sender
            + bytes([registered, len(content)]) + content + bytes(20 if THREE else 8))


def obey(command):
    if 'mode' in command:
        state['mode'] = command['mode']
    for session in list(state['open']):
        if 'report' in command:
            report = command['report']
            content = (bytes.fromhex(report['id']) + octets(report['stat'], 7) + octets('2701150800', 10)
                       + octets('2701150801', 10) + octets('19900000001', report.get('number', 21)) + struct.pack('>I', 7))
            session.ask(DELIVER, delivery(1, content))
        if 'write' in command:
            session.ask(DELIVER, delivery(0, command['write'].encode('utf-16-be')))
        if 'test' in command:
            session.ask(ACTIVE_TEST, b'')
        if 'terminate' in command:
            session.ask(TERMINATE, b'')
        if 'raw' in command:
            session.request.sendall(bytes.fromhex(command['raw']))
        if 'hang-up' in command:
            session.request.shutdown(2)
    say('obeyed')


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


server = Server(('127.0.0.1', 0), Session)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
for line in sys.stdin:
    obey(json.loads(line))
