"""A peer of peers/signed-http.ts in another language, from its description alone: Python's standard library.

Prints its port. Behaviour by path: /sms, /register/check, /register/changes answer rightly; /flaky fails every first
time; /unsigned, /forged, /long, /torn, /hang, /broken misbehave; /refuse answers 403. Everything it accepted is
listed at GET /seen. GET /mode/x makes every POST behave like path /x from then on, GET /mode/ each like its own.
"""
import hashlib, hmac, json, os, sys, time, base64
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = bytes.fromhex(sys.argv[1])
seen, nonces, tries, mode = [], set(), {}, ['']


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def mac(*lines):
    return b64(hmac.new(KEY, '\n'.join(lines).encode(), lambda data=b'': hashlib.new('sm3', data)).digest())


def sm3(body):
    return hashlib.new('sm3', body).hexdigest()


FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../config/demo/population.json')
with open(FILE, encoding='utf-8') as file:
    CITY = json.load(file)


def check(question):
    def numbers(person):
        return [person['number'], *person.get('formerNumbers', [])]

    def names(person):
        return [person['name'], *person.get('formerNames', [])]

    found = [person for person in CITY['people'] if person['kind'] == question['kind']
             and question['number'] in numbers(person) and question['name'] in names(person)]
    if not found:
        return {'result': 'mismatch'}
    person = found[0]
    state = person.get('state', 'living')
    if state != 'living':
        return {'result': state}
    if question['number'] != person['number']:
        return {'result': 'renumbered'}
    if question['name'] != person['name']:
        return {'result': 'renamed'}
    if 'phone' not in question or 'phone' not in person:
        return {'result': 'match', 'phone': 'unknown'}
    return {'result': 'match', 'phone': 'match' if question['phone'] == person['phone'] else 'mismatch'}


def changes(question):
    """None: the cursor is not one of ours."""
    after = question.get('after', 'c0')
    if after not in [f'c{n}' for n in range(len(CITY['changes']) + 1)]:
        return None
    start = int(after[1:])
    page = [{**change, 'at': int(datetime.fromisoformat(change['at']).timestamp() * 1000)}
            for change in CITY['changes'][start:start + question['limit']]]
    return {'changes': page, 'cursor': f'c{start + len(page)}'}


class Peer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith('/mode'):
            mode[0] = self.path[len('/mode'):].rstrip('/')
            tries.clear()
        self.answer(200, json.dumps(seen).encode(), '')

    def answer(self, status, body, signature):
        self.send_response(status)
        self.send_header('x-yihao-signature', signature)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        stamp, nonce = self.headers['x-yihao-time'], self.headers['x-yihao-nonce']
        due = mac('POST', self.path, stamp, nonce, sm3(body))
        right = hmac.compare_digest(due, self.headers['x-yihao-signature'])
        if not right or abs(time.time() - int(stamp)) > 60 or nonce in nonces:
            return self.answer(401, b'{}', mac('401', nonce, sm3(b'{}')))
        nonces.add(nonce)
        question = json.loads(body)
        seen.append({'path': self.path, 'question': question})
        tries[self.path] = tries.get(self.path, 0) + 1
        answer = {'reference': 'r-1' if self.path == '/sms' else 'r-2'}
        if self.path.endswith('/check'):
            answer = check(question)
        if self.path == '/register/changes':
            answer = changes(question)
            if answer is None:
                return self.answer(400, b'{}', mac('400', nonce, sm3(b'{}')))
        text = json.dumps(answer).encode()
        way = mode[0] or self.path
        if way == '/hang':
            time.sleep(20)
        if way == '/long':
            text = b'"' + b'x' * 100000 + b'"'
        if way == '/torn':
            text = b'{"person": "'
        if way == '/refuse':
            return self.answer(403, text, mac('403', nonce, sm3(text)))
        if way == '/broken' or way == '/flaky' and tries[self.path] % 2 == 1:
            return self.answer(503, text, mac('503', nonce, sm3(text)))
        if way == '/unsigned':
            return self.answer(200, text, '')
        signature = mac('200', nonce, sm3(text))
        if way == '/forged':
            text = text.replace(b'r-', b's-')
        self.answer(200, text, signature)


server = ThreadingHTTPServer(('127.0.0.1', 0), Peer)
print(server.server_address[1], flush=True)
server.serve_forever()
