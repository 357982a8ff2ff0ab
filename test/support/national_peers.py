"""The national network identity service, two ticket platforms and two OpenID providers, with Python's standard library
and from their descriptions alone: every signature, hash and binding is computed anew and compared.

Started with one argument, JSON: `secret` (shared with all of them), `client` (the public JWK of the client). Prints its
port. GET /control?mode=…&person=…&level=…&now=… says how it behaves from then on; `now` in milliseconds.
"""
import base64, calendar, hashlib, hmac, json, secrets, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit
from elliptic import Key, b64, unb64

SETTINGS = json.loads(sys.argv[1])
SECRET = SETTINGS['secret'].encode()
CLIENT = Key.of(SETTINGS['client'])
KEYS = {'sm2': Key.new('sm2p256v1'), 'es256': Key.new('P-256')}
STRANGER = {'sm2': Key.new('sm2p256v1'), 'es256': Key.new('P-256')}
control = {'mode': '', 'person': '', 'level': '', 'now': ''}
PEOPLE = {person['key']: person for person in json.load(open(SETTINGS['people'], encoding='utf-8'))['people']}
spent, nonces, tickets, tokens, codes, grants, jtis, seen = set(), set(), {}, {}, {}, {}, set(), []


class Refused(Exception):
    """The status and the body that say no."""


def due(condition, status, body):
    if not condition:
        raise Refused(status, body)


def person():
    return PEOPLE[control['person']]


def now():
    return int(control['now'] or time.time() * 1000)


def mac(key, *lines, algorithm='sm3'):
    return hmac.new(key, '\n'.join(lines).encode(), lambda data=b'': hashlib.new(algorithm, data)).digest()


# -- the national service: what the app makes, and what the back end says of it

def app(query):
    sealed = {'bizSeq': query['bizSeq'], 'person': control['person'], 'made': secrets.token_hex(4)}
    text = json.dumps(sealed)
    made = {'idCardAuthData': b64(json.dumps([text, mac(SECRET, text).hex()]).encode())}
    if query['mode'] in ('R02', 'R04'):
        made['certPwdData'] = b64(mac(SECRET, 'password', query['bizSeq']))
    if query['mode'] in ('R03', 'R04'):
        made['photoEncData'] = b64(mac(SECRET, 'photo', query['bizSeq']) * 400)
    return made


FIELDS = {'orgCode', 'appId', 'appName', 'bizSeq', 'authMode', 'idCardAuthData'}
MORE = {'R01': set(), 'R02': {'certPwdData'}, 'R03': {'photoEncData'}, 'R04': {'certPwdData', 'photoEncData'}}


def back_end(question):
    mode, biz = control['mode'], question['bizSeq']
    due(set(question) == FIELDS | MORE.get(question['authMode'], {'?'}), 200, {'code': '1000'})
    due(question['orgCode'] == 'org-1' and question['appId'] == 'app-1' and question['appName'] == '示例市一号', 200, {'code': '1000'})
    due(len(biz) == 32 and '&' not in biz, 200, {'code': '1000'})
    try:
        text, seal = json.loads(unb64(question['idCardAuthData']))
    except ValueError:
        raise Refused(200, {'code': '1001'})
    due(b64(json.dumps([text, seal]).encode()) == question['idCardAuthData'], 200, {'code': '1001'})
    due(hmac.compare_digest(seal, mac(SECRET, text).hex()), 200, {'code': '1001'})
    sealed = json.loads(text)
    due(sealed['bizSeq'] == biz, 200, {'code': '1003'})
    due(biz not in spent, 200, {'code': '1002'})
    if 'certPwdData' in question:
        due(question['certPwdData'] == b64(mac(SECRET, 'password', biz)), 200, {'code': '1004'})
    if 'photoEncData' in question:
        due(question['photoEncData'] == b64(mac(SECRET, 'photo', biz) * 400), 200, {'code': '1005'})
    spent.add(biz)
    data = {'bizSeq': biz, 'authMode': question['authMode'], 'authResult': '0', 'authTime': str(now()),
            'appPersonId': 'W' + mac(SECRET, 'person', sealed['person']).hex()[:31]}
    who = PEOPLE[sealed['person']]
    lies = {'other-biz': {'bizSeq': '0' * 32}, 'no-biz': {'bizSeq': None}, 'other-mode': {'authMode': 'R04'},
            'not-passed': {'authResult': '1'}, 'no-subject': {'appPersonId': None}, 'short-subject': {'appPersonId': 'W1'},
            'number': {'appPersonId': who['number']}, 'stale': {'authTime': str(now() - 3_600_000)},
            'future': {'authTime': str(now() + 3_600_000)}, 'no-time': {'authTime': 'yesterday'},
            'china-time': {'authTime': time.strftime('%Y%m%d%H%M%S', time.gmtime(now() / 1000 + 8 * 3600))},
            'plain': {'name': who['name'], 'idNum': who['number'], 'photo': 'x'}}
    return {'code': '0', 'message': '成功', 'data': {**data, **lies.get(mode, {})}}


# -- platforms with tickets

def ticket():
    made = 'T-' + secrets.token_hex(16)
    tickets[made] = dict(person=person(), level=control['level'])
    return {'ticket': made}


def exchanged(given):
    """A token for a ticket, once."""
    account = tickets.pop(given, None)
    if account is None:
        return None
    token = secrets.token_hex(16)
    tokens[token] = account
    return token


def first_version(path, body):
    """浙江政务服务网: POST …/sso/servlet/simpleauth?method=ticketValidation, then getUserInfo; sign=MD5(code+pwd+time)"""
    method = parse_qs(urlsplit(path).query)['method'][0]
    fields = dict(parse_qsl(body))
    sign = hashlib.md5(('app-1' + SETTINGS['secret'] + fields['time']).encode()).hexdigest()
    stamp = time.strftime('%Y%m%d%H%M%S', time.gmtime(time.time() + 8 * 3600))
    due(fields['servicecode'] == 'app-1' and fields['sign'] == sign and fields['datatype'] == 'json', 200, {'result': '6001'})
    due(abs(int(fields['time']) - int(stamp)) < 10_000, 200, {'result': '6002'})
    if method == 'ticketValidation':
        token = exchanged(fields['st'])
        due(token, 200, {'result': '6003', 'errmsg': 'ticket is invalid'})
        return {'result': '0', 'token': token}
    account = tokens.pop(fields['token'], None)
    due(account, 200, {'result': '6004'})
    who = account['person']
    kinds = {'resident-id-card': '1', 'foreigner-permanent-resident-card': '5'}
    return {'result': '0', 'idtype': kinds[who['kind']], 'idnum': who['number'], 'username': who['name'],
            'authlevel': account['level'], 'mobile': who['phone'], 'idp': ['https://nation.example', 'https://ID.example.gov.cn/']
            if control['mode'] == 'circle' else []}


def gateway(path, headers, body, algorithm):
    """浙里办 IRS: the headers X-BG-…, over METHOD\\nURI\\nQUERY\\nAK\\nDATE\\n; 90 s"""
    split = urlsplit(path)
    pairs = sorted(unquote(pair) for pair in split.query.split('&') if pair)
    date = headers['X-BG-DATE-TIME']
    lines = ['POST', split.path, '&'.join(pairs), headers['X-BG-HMAC-ACCESS-KEY'], date, '']
    right = base64.b64encode(mac(SECRET, *lines, algorithm=algorithm)).decode()
    due(headers['X-BG-HMAC-ACCESS-KEY'] == 'access-1' and headers['X-BG-HMAC-ALGORITHM'] == 'hmac-' + algorithm
        and hmac.compare_digest(right, headers['X-BG-HMAC-SIGNATURE']), 401, {'success': False})
    stamp = time.strptime(date, '%a, %d %b %Y %H:%M:%S GMT')
    due(abs(calendar.timegm(stamp) - time.time()) < 90, 401, {'success': False})
    fields = json.loads(body)
    if split.path.endswith('/access_token'):
        due(fields['appId'] == 'app-1', 200, {'success': False, 'errorCode': '1'})
        token = exchanged(fields['ticketId'])
        due(token, 200, {'success': False})
        return {'success': True, 'data': {'accessToken': token, 'refreshToken': 'x'}}
    account = tokens.pop(fields['token'], None)
    due(account, 200, {'success': False})
    who = account['person']
    return {'success': True, 'data': {'personInfo': {'idType': '1', 'idNo': who['number'], 'userName': who['name'],
                                                     'authLevel': account['level']}}}


# -- OpenID providers: /oidc/sm2 (private_key_jwt, signed userinfo), /oidc/es256 (client_secret_basic, plain userinfo)

def discovery(base, kind):
    issuer = f'{base}/oidc/{kind}'
    mode = control['mode']
    return {'issuer': issuer + '/other' if mode == 'other-issuer' else issuer, 'authorization_endpoint': f'{issuer}/auth',
            'token_endpoint': f'{issuer}/token', 'userinfo_endpoint': f'{issuer}/me', 'jwks_uri': f'{issuer}/jwks',
            'authorization_response_iss_parameter_supported': kind == 'sm2'}


def authorize(base, kind, query):
    issuer = f'{base}/oidc/{kind}'
    due(query['response_type'] == 'code' and query['client_id'] == 'yihao' and query['code_challenge_method'] == 'S256'
        and 'openid' in query['scope'].split() and len(query['nonce']) > 20 and len(query['state']) > 0, 400, {'error': 'invalid_request'})
    code = secrets.token_urlsafe(24)
    codes[code] = dict(query=query, person=person(), level=control['level'], kind=kind)
    back = {'code': code, 'state': query['state'], **({'iss': issuer} if kind == 'sm2' else {})}
    return query['redirect_uri'] + '?' + urlencode(back)


def authenticated(base, kind, headers, form):
    if kind == 'es256':
        name, password = base64.b64decode(headers['authorization'].split()[1]).decode().split(':')
        return unquote(name) == 'yihao' and unquote(password) == SETTINGS['secret']
    claims = CLIENT.read(form['client_assertion'])
    if not claims or claims['jti'] in jtis:
        return False
    jtis.add(claims['jti'])
    type_ = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    return (form['client_assertion_type'] == type_ and claims['iss'] == claims['sub'] == 'yihao'
            and claims['aud'] == f'{base}/oidc/{kind}' and claims['exp'] * 1000 > now())


def token(base, kind, headers, body):
    form, mode, issuer = dict(parse_qsl(body)), control['mode'], f'{base}/oidc/{kind}'
    due(authenticated(base, kind, headers, form), 401, {'error': 'invalid_client'})
    granted = codes.pop(form['code'], None)
    due(granted and granted['kind'] == kind, 400, {'error': 'invalid_grant'})
    query = granted['query']
    challenge = b64(hashlib.sha256(form['code_verifier'].encode()).digest())
    due(challenge == query['code_challenge'] and form['redirect_uri'] == query['redirect_uri'], 400, {'error': 'invalid_grant'})
    seconds = now() // 1000
    subject = 'P-' + mac(SECRET, granted['person']['key']).hex()[:20]
    claims = {'iss': issuer, 'aud': 'yihao', 'sub': subject, 'nonce': query['nonce'], 'iat': seconds, 'exp': seconds + 300,
              'acr': granted['level']}
    lies = {'nonce': {'nonce': 'another'}, 'no-nonce': {'nonce': None}, 'aud': {'aud': 'somebody-else'},
            'auds': {'aud': ['yihao', 'somebody-else']}, 'azp': {'azp': 'somebody-else'}, 'iss': {'iss': issuer + '/other'},
            'expired': {'exp': seconds - 60}, 'circle': {'idp': 'https://id.example.gov.cn'}}
    claims = {**claims, **lies.get(mode, {})}
    if mode == 'endless':
        del claims['exp']
    signer = STRANGER[kind] if mode in ('stranger', 'same-kid') else KEYS[kind]
    jwt = signer.jwt(claims, **({'kid': KEYS[kind].kid} if mode == 'same-kid' else {}))
    if mode == 'none':
        jwt = '.'.join([b64(b'{"alg":"none"}'), jwt.split('.')[1], ''])
    if mode == 'hmac':
        text = b64(b'{"alg":"HS256"}') + '.' + jwt.split('.')[1]
        jwt = text + '.' + b64(mac(SECRET, text, algorithm='sha256'))
    access = secrets.token_urlsafe(24)
    grants[access] = dict(claims=claims, person=granted['person'])
    return {'access_token': access, 'token_type': 'Bearer', 'expires_in': 300, 'id_token': jwt}


def userinfo(base, kind, headers):
    granted = grants.get(headers['authorization'].removeprefix('Bearer '))
    due(granted, 401, {'error': 'invalid_token'})
    who, mode = granted['person'], control['mode']
    claims = {'sub': 'somebody-else' if mode == 'sub' else granted['claims']['sub'],
              'user': {'name': who['name'], 'papersnumber': who['number'],
                       'paperstype': {'resident-id-card': '1', 'foreigner-permanent-resident-card': '5'}[who['kind']]}}
    if mode == 'kind':
        claims['user']['paperstype'] = '9'
    if mode == 'bad-number':
        claims['user']['papersnumber'] = claims['user']['papersnumber'][:-1] + 'A'
    if mode == 'no-name':
        del claims['user']['name']
    if mode == 'own-level':
        claims['acr'] = '3'
    if kind == 'es256' or mode == 'unsigned':
        return 'application/json', json.dumps(claims)
    signed = {**claims, 'iss': f'{base}/oidc/{kind}', 'aud': 'somebody-else' if mode == 'me-aud' else 'yihao'}
    return 'application/jwt', (STRANGER if mode == 'me-stranger' else KEYS)[kind].jwt(signed)


class Peer(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, text, kind='application/json', **headers):
        raw = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header('content-type', kind)
        self.send_header('content-length', str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(raw)

    def base(self):
        return f'http://127.0.0.1:{self.server.server_address[1]}'

    def misbehaves(self):
        mode = control['mode']
        if mode == 'hang':
            time.sleep(10)
        answers = {'broken': (503, '{}'), 'page': (200, '<html>'), 'torn': (200, '{"code": "0", "da'), 'empty': (200, ''),
                   'unreadable': (400, '{"error": "invalid_request"}'), 'nothing': (200, '{}'), 'null': (200, 'null'), 'long': (200, '"' + 'x' * 100_000 + '"')}
        if mode in answers:
            self.reply(*answers[mode])
        return mode in answers or mode == 'hang'

    def do_GET(self):
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        if split.path == '/control':
            control.update({'mode': '', 'level': '3', 'person': 'yan', **query})
            return self.reply(200, json.dumps(seen))
        if split.path == '/app':
            return self.reply(200, json.dumps(app(query)))
        if split.path == '/ticket':
            return self.reply(200, json.dumps(ticket()))
        _, _, kind, *rest = split.path.split('/')
        where = '/'.join(rest)
        try:
            if where == 'auth':
                return self.reply(302, '', location=authorize(self.base(), kind, query))
            if self.misbehaves():
                return
            if where == '.well-known/openid-configuration':
                return self.reply(200, json.dumps(discovery(self.base(), kind)))
            if where == 'jwks':
                return self.reply(200, json.dumps({'keys': [KEYS[kind].jwk()]}))
            if where == 'me':
                type_, text = userinfo(self.base(), kind, self.headers)
                return self.reply(200, text, type_)
        except Refused as refusal:
            return self.reply(refusal.args[0], json.dumps(refusal.args[1]))
        self.reply(404, '{}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length'])).decode()
        seen.append({'path': self.path, 'body': body})
        if self.misbehaves():
            return
        _, room, kind, *_ = urlsplit(self.path).path.split('/')
        try:
            if room == 'ctid':
                return self.identity(kind, body)
            if room == 'v1':
                answer = first_version(self.path, body)
            elif room in ('v2', 'v3'):
                answer = gateway(self.path, self.headers, body, 'sha256' if room == 'v2' else 'sm3')
            else:
                answer = token(self.base(), kind, self.headers, body)
            self.reply(200, json.dumps(answer))
        except Refused as refusal:
            self.reply(refusal.args[0], json.dumps(refusal.args[1]))

    def identity(self, kind, body):
        """Signed both ways with HMAC-SM3 (/hmac-sm3) or SM2 (/sm2), or not at all (/none)."""
        stamp, nonce = self.headers.get('x-yihao-time', ''), self.headers.get('x-yihao-nonce', '')
        hashed = hashlib.new('sm3', body.encode()).hexdigest()
        given = unb64(self.headers.get('x-yihao-signature', ''))
        lines = ['POST', self.path, stamp, nonce, hashed]
        if kind == 'hmac-sm3':
            right = hmac.compare_digest(given, mac(unb64(SETTINGS['secret']), *lines))
        else:
            right = kind == 'none' or CLIENT.verify('\n'.join(lines).encode(), given)
        fresh = kind == 'none' or abs(time.time() - int(stamp or 0)) < 60 and nonce not in nonces
        nonces.add(nonce)
        status, answer = 401, {'code': '2000'}
        if right and fresh:
            try:
                status, answer = 200, back_end(json.loads(body))
            except Refused as refusal:
                status, answer = refusal.args
        text = json.dumps(answer)
        said = [str(status), nonce, hashlib.new('sm3', text.encode()).hexdigest()]
        signature = KEYS['sm2'].sign('\n'.join(said).encode()) if kind == 'sm2' else mac(unb64(SETTINGS['secret']), *said)
        if control['mode'] == 'forged':
            text = text.replace('"code": "0"', '"code":  "0"')
        self.reply(status, text, x_yihao_signature=b64(signature))


server = ThreadingHTTPServer(('127.0.0.1', 0), Peer)
print(json.dumps({'port': server.server_address[1], 'sm2': KEYS['sm2'].jwk()}), flush=True)
server.serve_forever()
