"""Three services that compare faces, written from what is published of them with Python's standard library alone:
Alibaba Cloud ID Verification (ACS3), Tencent Cloud FaceID (TC3), and the signed HTTP of src/verifiers/face/README.md. Each
signature is computed anew and compared; each question must have the published shape.

Prints its port. GET /seen lists what was accepted; GET /mode/x makes every answer behave like x from then on: broken,
hang, late, torn, page; of making a session: empty, personal, plain, refuse-person, refuse-account, duplicate; of a result:
failed, unfinished, missing, loose, contradiction, other-session, other-person, gone, undeleted; of the signed HTTP: unsigned,
replayed. GET /mode/ restores.
"""
import base64, hashlib, hmac, json, re, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

sys.dont_write_bytecode = True
from cloud_signatures import Refused, acs3, due, tc3  # noqa: E402

SECRET, KEY = sys.argv[1], bytes.fromhex(sys.argv[2])
state = {'mode': '', 'last': b''}
seen, used = [], set()
sessions = {'aliyun': {}, 'tencent': {}, 'http': {}}


def make(service, of, name):
    """A session and its page, as the mode has it."""
    mode = state['mode']
    made = sessions[service]
    session = next(iter(made)) if mode == 'duplicate' and made else f'{len(made):08d}-face-session'
    made.setdefault(session, of)
    page = {'personal': f'https://face.example/?{quote(name)}', 'plain': 'http://face.example/x'}
    return session, page.get(mode, f'https://face.example/act?session={session}')


def aliyun(request, body):
    """https://help.aliyun.com/document_detail/173781.html, …/describefaceverify-1, …/delete-sensitive-data-…"""
    mode = state['mode']

    def answered(code, result=None):
        return 200, {'RequestId': 'r', 'Code': code, 'Message': '刘䶮 is quoted here', 'ResultObject': result}
    try:
        query, name = acs3(SECRET, request.command, request.path, request.headers, body)
        due(request.headers['x-acs-version'] == '2019-03-07', 'InvalidVersion')
        action = request.headers['x-acs-action']
        seen.append({'service': 'aliyun', 'action': action, 'algorithm': name, 'question': query})
        if action != 'DeleteFaceVerifyResult':
            due(re.fullmatch(r'\d+', query['SceneId']), 'MissingSceneId')
    except Refused as why:
        return 400, {'Code': str(why), 'Message': 'x', 'RequestId': 'r'}
    if action == 'InitFaceVerify':
        must = ['OuterOrderNo', 'ProductCode', 'CertType', 'CertName', 'CertNo', 'MetaInfo', 'ReturnUrl']
        if any(not query.get(one) for one in must) or not re.fullmatch(r'[A-Za-z0-9]{32}', query['OuterOrderNo']) \
                or query['CertType'] != 'IDENTITY_CARD' or query['CertifyUrlType'] not in ('H5', 'WEB'):
            return answered('400')
        json.loads(query['MetaInfo'])
        if 'Model' in query or set(dict(parse_qsl(body.decode()))) != {'Model'}:
            return answered('400')
        if mode == 'refuse-person':
            return answered('418')
        if mode == 'refuse-account':
            return answered('412')
        session, url = make('aliyun', query, query['CertName'])
        return answered('200', {} if mode == 'empty' else {'CertifyId': session, 'CertifyUrl': url})
    if query['CertifyId'] not in sessions['aliyun'] or mode == 'gone':
        return answered('424')
    if action == 'DeleteFaceVerifyResult':
        right = query['DeleteAfterQuery'] == 'Y' and mode != 'undeleted'
        return answered('200', {'CertifyId': query['CertifyId'], 'DeleteResult': 'Y' if right else 'N'})
    material = json.dumps({'verifyScore': 99.5, 'facialPictureFront': {'pictureUrl': 'https://oss.example/face.jpeg'}})
    result = {'Passed': 'T', 'SubCode': '200', 'IdentityInfo': None, 'DeviceToken': 'x', 'MaterialInfo': material}
    if mode == 'failed':
        result.update(Passed='F', SubCode='201')
    if mode in ('missing', 'unfinished'):
        del result['Passed']
    if mode == 'loose':
        result['Passed'] = 'true'
    if mode == 'other-session':
        result['CertifyId'] = 'another'
    return answered('200', result)


def tencent(request, body):
    """https://cloud.tencent.com/document/api/1007/31816 and /41957"""
    mode = state['mode']

    def failed(code):
        return 200, {'Response': {'Error': {'Code': code, 'Message': '刘䶮'}, 'RequestId': 'r'}}
    try:
        question = tc3(SECRET, 'faceid', request.command, request.path, request.headers, body)
        due(request.headers['x-tc-version'] == '2018-03-01' and 'x-tc-region' not in request.headers, 'InvalidParameter')
    except Refused as why:
        return failed(str(why))
    action = request.headers['x-tc-action']
    seen.append({'service': 'tencent', 'action': action, 'question': question})
    if question['RuleId'] != '1':
        return failed('InvalidParameterValue.RuleIdNotExist')
    if action == 'DetectAuth':
        if mode == 'refuse-person':
            return failed('InvalidParameterValue')
        if mode == 'refuse-account':
            return failed('UnauthorizedOperation.Arrears')
        if len(question['RedirectUrl']) > 1024 or len(question['Extra']) > 1024 or len(question['Name']) > 32:
            return failed('InvalidParameterValue')
        session, url = make('tencent', question, question['Name'])
        return 200, {'Response': {'RequestId': 'r', **({} if mode == 'empty' else {'BizToken': session, 'Url': url})}}
    if question['BizToken'] not in sessions['tencent'] or mode == 'gone':
        return failed('InvalidParameterValue.BizTokenExpired')
    of = sessions['tencent'][question['BizToken']]
    text = {'ErrCode': 0, 'ErrMsg': '成功', 'IdCard': of['IdCard'], 'Name': of['Name'], 'OcrName': None, 'LiveStatus': 0,
            'LiveMsg': '成功', 'Comparestatus': 0, 'Sim': '99.50', 'Extra': of['Extra'], 'Location': '39.9,116.4'}
    if mode == 'failed':
        text.update(ErrCode=66661010, Comparestatus=66661010)
    if mode == 'unfinished':
        text.update(ErrCode=None, ErrMsg=None, IdCard='', Name='', LiveStatus=None, Comparestatus=None, Sim=None)
    if mode == 'missing':
        del text['ErrCode']
    if mode == 'loose':
        text['ErrCode'] = '0'
    if mode == 'contradiction':
        text['LiveStatus'] = 66661002
    if mode == 'other-person':
        text['IdCard'] = '690101198807191028'
    if mode == 'other-session':
        text['Extra'] = 'another'
    response = {'Text': text, 'IdCardData': None, 'BestFrame': None, 'VideoData': None, 'RequestId': 'r'}
    if '1' != question['InfoType']:
        response['BestFrame'] = {'BestFrame': 'an image'}
    return 200, {'Response': response}


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def mac(*lines):
    return b64(hmac.new(KEY, '\n'.join(lines).encode(), lambda data=b'': hashlib.new('sm3', data)).digest())


def signed(request, body):
    mode = state['mode']
    stamp, nonce = request.headers['x-yihao-time'], request.headers['x-yihao-nonce']
    digest = hashlib.new('sm3', body).hexdigest()
    right = hmac.compare_digest(mac('POST', request.path, stamp, nonce, digest), request.headers['x-yihao-signature'])
    if not right or abs(time.time() - int(stamp)) > 60 or nonce in used:
        return 401, {}, nonce
    used.add(nonce)
    question = json.loads(body)
    path = urlsplit(request.path).path
    seen.append({'service': 'http', 'action': path, 'question': question})
    if path == '/face/create':
        if set(question) != {'order', 'kind', 'number', 'name', 'returnTo', 'locale'}:
            return 400, {}, nonce
        if mode.startswith('refuse'):
            return 422 if mode == 'refuse-person' else 403, {}, nonce
        made = [one for one in sessions['http'].items() if one[1]['order'] == question['order']]
        session, url = (made[0][0], made[0][1]['url']) if made else make('http', question, question['name'])
        sessions['http'][session].setdefault('url', url)
        return 200, {} if mode == 'empty' else {'session': session, 'url': url}, nonce
    if set(question) != {'session', 'order'}:
        return 400, {}, nonce
    of = sessions['http'].get(question['session'])
    if of is None or mode == 'gone':
        return 404, {}, nonce
    verdict = {'failed': 'failed', 'unfinished': 'unfinished', 'loose': 'yes'}.get(mode, 'passed')
    answer = {'session': question['session'], 'order': of['order'], 'result': verdict, 'number': of['number'], 'name': of['name']}
    if mode == 'missing':
        del answer['result']
    if mode == 'other-session':
        answer['session'] = 'another'
    if mode == 'other-person':
        answer['name'] = '王𬎆'
    return 200, answer, nonce


class Service(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # Head and body go out together: apart, the body waits 40 ms for an acknowledgement (Nagle).
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith('/mode/'):
            state['mode'] = self.path[len('/mode/'):]
        self.answer(200, json.dumps(seen).encode())

    def answer(self, status, body, signature=None, length=None):
        self.send_response(status)
        self.send_header('content-type', 'application/json;charset=utf-8')
        self.send_header('content-length', str(length or len(body)))
        if signature:
            self.send_header('x-yihao-signature', signature)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('content-length', 0)))
        mode = state['mode']
        signature = None
        if self.path.startswith('/face/'):
            status, answer, nonce = signed(self, body)
            status = 503 if mode == 'broken' else status
            text = json.dumps(answer).encode()
            signature = mac(str(status), nonce, hashlib.new('sm3', text).hexdigest())
            if mode == 'unsigned':
                signature = None
            if mode == 'replayed' and state['last']:
                text, signature = state['last']
            elif status == 200:
                state['last'] = (text, signature)
        else:
            status, answer = (tencent if 'x-tc-action' in self.headers else aliyun)(self, body)
            status = 503 if mode == 'broken' else status
            text = json.dumps(answer).encode()
        if mode == 'hang':
            time.sleep(30)
        if mode == 'late':
            time.sleep(0.12)
        if mode == 'page':
            return self.answer(200, b'<html>Please sign in to this network</html>')
        if mode == 'torn':
            self.answer(200, text[:len(text) // 2], signature, len(text))
            self.close_connection = True
            return None
        return self.answer(status, text, signature)


server = ThreadingHTTPServer(('127.0.0.1', 0), Service)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
