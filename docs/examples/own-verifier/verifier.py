"""A verifier of a city's own, whole: the number of a staff card and its PIN, checked against a file of people.

Python's standard library alone. Yihao asks POST /begin and POST /finish (docs/own-verifier.md); everything that a
service owes is here: it checks signature, time and nonce of each question, signs each answer, compares secrets in
constant time, and lets nobody guess.

    python3 verifier.py KEY_FILE PEOPLE_FILE [--port 8010] [--failures 5]

Prints the port when it listens. PEOPLE_FILE is a list of { card, salt, pin, kind, number, name }, where pin is the
PBKDF2-HMAC-SHA256 of the PIN over salt, 100,000 rounds, in hex.
"""
import argparse
import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sm3

ROUNDS = 100_000
LONGEST = 65_536
CLOCK = 60  # seconds that a question may be off
DAY = 86_400


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def sign(key, *lines):
    return b64(hmac.new(key, '\n'.join(lines).encode(), sm3.new).digest())


def digest(body):
    return sm3.new(body).hexdigest()


class Refused(Exception):
    """A question that is not answered: the status says why."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Nonces:
    """Each is taken once. They are forgotten when their time alone would refuse the question."""

    def __init__(self):
        self.seen, self.lock = {}, threading.Lock()

    def take(self, nonce, now):
        with self.lock:
            self.seen = {old: at for old, at in self.seen.items() if now - at < 2 * CLOCK}
            if nonce in self.seen:
                raise Refused(401)
            self.seen[nonce] = now


class StaffCards:
    """The method itself."""

    def __init__(self, people, failures):
        self.people = {person['card']: person for person in people}
        self.failures, self.failed, self.lock = failures, {}, threading.Lock()

    def begin(self, question):
        fields = [
            {'name': 'card', 'kind': 'digits', 'autocomplete': 'off',
             'label': {'zh': '工作证号', 'en': 'Staff card number'},
             'hint': {'zh': '印在工作证正面的8位数字', 'en': 'The eight digits on the front of your staff card'}},
            {'name': 'pin', 'kind': 'password', 'autocomplete': 'off',
             'label': {'zh': '工作证密码', 'en': 'PIN of the card'}},
        ]
        return {'show': {'fields': fields}, 'keep': {}, 'expiresAt': question['now'] + 300_000}

    def finish(self, question):
        card, pin = question['answer'].get('card', ''), question['answer'].get('pin', '')
        if self.spent(card):
            return {'ok': False, 'reason': 'rejected', 'detail': 'too-many-failures'}
        person = self.people.get(card)
        # A card that nobody has costs the same time as a wrong PIN.
        salt, due = (person['salt'], person['pin']) if person else ('00' * 16, '')
        given = hashlib.pbkdf2_hmac('sha256', pin.encode(), bytes.fromhex(salt), ROUNDS).hex()
        if not hmac.compare_digest(given, due):
            self.count(card)
            return {'ok': False, 'reason': 'mismatch', 'detail': 'card-or-pin'}
        return {'ok': True, 'evidence': {
            'verifier': question['verifier'], 'amr': ['pin'], 'level': 2, 'at': question['now'],
            'subject': {'kind': person['kind'], 'number': person['number'], 'name': person['name']}}}

    def spent(self, card):
        with self.lock:
            now = time.time()
            self.failed = {one: times for one, times in self.failed.items() if now - times[-1] < DAY}
            return len([at for at in self.failed.get(card, []) if now - at < DAY]) >= self.failures

    def count(self, card):
        with self.lock:
            self.failed[card] = [*self.failed.get(card, []), time.time()][-self.failures:]


def handler(key, cards):
    nonces = Nonces()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds that a connection may say nothing

        def log_message(self, *_):
            pass  # nothing personal in any log

        def read(self):
            """The question, once it is known to be Yihao's, new and of now."""
            length = int(self.headers.get('content-length', LONGEST + 1))
            if not 0 <= length <= LONGEST:
                raise Refused(413)
            body = self.rfile.read(length)
            stamp, nonce = self.headers.get('x-yihao-time', ''), self.headers.get('x-yihao-nonce', '')
            due = sign(key, 'POST', self.path, stamp, nonce, digest(body))
            if not hmac.compare_digest(due.encode(), self.headers.get('x-yihao-signature', '').encode()):
                raise Refused(401)
            now = time.time()
            if abs(now - int(stamp)) > CLOCK:
                raise Refused(401)
            nonces.take(nonce, now)
            return json.loads(body)

        def do_POST(self):
            status, answer = 200, {}
            try:
                question = self.read()
                methods = {'/begin': cards.begin, '/finish': cards.finish}
                if self.path not in methods:
                    raise Refused(404)
                answer = {'challenge': question['challenge'], **methods[self.path](question)}
            except Refused as refused:
                status = refused.status
            except Exception:
                status = 500  # what went wrong may quote what was asked, so nobody is told
            body = json.dumps(answer, ensure_ascii=False).encode()
            nonce = self.headers.get('x-yihao-nonce', '')
            self.send_response(status)
            self.send_header('content-type', 'application/json')
            self.send_header('content-length', str(len(body)))
            self.send_header('x-yihao-signature', sign(key, str(status), nonce, digest(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('key_file')
    parser.add_argument('people_file')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=8010)
    parser.add_argument('--failures', type=int, default=5, help='wrong PINs a day for each card')
    given = parser.parse_args()
    with open(given.key_file, encoding='ascii') as file:
        text = file.read().strip()
    with open(given.people_file, encoding='utf-8') as file:
        people = json.load(file)
    key = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    server = ThreadingHTTPServer((given.host, given.port), handler(key, StaffCards(people, given.failures)))
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
