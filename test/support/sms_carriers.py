"""The HTTP APIs of three carriers, written from their documentation alone with Python's standard library: Alibaba Cloud
(ACS3 over SM3 or SHA-256), Tencent Cloud (TC3) and 云MAS. Each signature is computed anew and compared.

Prints its port. GET /seen lists what was accepted, oldest first; GET /mode/x makes every question behave like x from
then on: broken, hang, torn, page, refuse-number, refuse-account, empty, late; GET /mode/ restores. GET /fate/x says what
becomes of texts: waiting, failed, delivered. Both empty the queue of receipts.
"""
import base64, hashlib, json, re, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
from cloud_signatures import Refused, acs3, due, tc3  # noqa: E402

SECRET = sys.argv[1]
state = {'mode': '', 'fate': 'delivered'}
seen, queue = [], []


def aliyun(request, body):
    mode = state['mode']
    try:
        query, name = acs3(SECRET, request.command, request.path, request.headers, body)
        due(request.headers['x-acs-version'] == '2017-05-25', 'InvalidVersion')
        action = request.headers['x-acs-action']
        seen.append({'carrier': 'aliyun', 'action': action, 'algorithm': name, 'question': query})
        if action == 'QuerySendDetails':
            due(re.fullmatch(r'\d{8}', query['SendDate']) and re.fullmatch(r'1\d{10}', query['PhoneNumber'])
                and query['PageSize'] and query['CurrentPage'], 'InvalidParameter')
            status = {'waiting': 1, 'failed': 2, 'delivered': 3}[state['fate']]
            detail = {'SendStatus': status, 'PhoneNum': query['PhoneNumber'],
                      'ErrCode': {1: '', 2: 'MOBILE_NOT_ON_SERVICE', 3: 'DELIVERED'}[status], 'Content': 'x'}
            return 200, {'Code': 'OK', 'Message': 'OK', 'RequestId': 'r', 'TotalCount': 1,
                         'SmsSendDetailDTOs': {'SmsSendDetailDTO': [detail]}}
        due(action == 'SendSms', 'InvalidAction.NotFound')
        due(re.fullmatch(r'1\d{10}', query['PhoneNumbers']), 'isv.MOBILE_NUMBER_ILLEGAL')
        due(all(isinstance(value, str) for value in json.loads(query['TemplateParam']).values()), 'isv.INVALID_JSON')
        due(query['SignName'] and query['TemplateCode'].startswith('SMS_'), 'isv.SMS_TEMPLATE_ILLEGAL')
    except Refused as why:
        return 400, {'Code': str(why), 'Message': '13800000000 is quoted here', 'RequestId': 'r'}
    if mode == 'refuse-number':
        return 200, {'Code': 'isv.BUSINESS_LIMIT_CONTROL', 'Message': '触发天级流控Permits:10', 'RequestId': 'r'}
    if mode == 'refuse-account':
        return 200, {'Code': 'isv.AMOUNT_NOT_ENOUGH', 'Message': '账户余额不足', 'RequestId': 'r'}
    if mode == 'empty':
        return 200, {'Code': 'OK', 'Message': 'OK', 'RequestId': 'r'}
    return 200, {'Code': 'OK', 'Message': 'OK', 'RequestId': 'r', 'BizId': f'9006{len(seen):014d}^0'}


def tencent(request, body):
    mode = state['mode']

    def failed(code):
        return 200, {'Response': {'Error': {'Code': code, 'Message': '+8613800000000'}, 'RequestId': 'r'}}
    try:
        question = tc3(SECRET, 'sms', request.command, request.path, request.headers, body)
        due(request.headers['x-tc-version'] == '2021-01-11' and request.headers['x-tc-region'], 'InvalidParameter')
    except Refused as why:
        return failed(str(why))
    action = request.headers['x-tc-action']
    seen.append({'carrier': 'tencent', 'action': action, 'question': question})
    if action == 'PullSmsSendStatus':
        if question['SmsSdkAppId'] != '1400000000' or not 1 <= question['Limit'] <= 100:
            return failed('InvalidParameter')
        page = queue[:question['Limit']]
        del queue[:question['Limit']]
        return 200, {'Response': {'PullSmsSendStatusSet': page, 'RequestId': 'r'}}
    if mode == 'refuse-account':
        return failed('FailedOperation.InsufficientBalanceInSmsPackage')
    [phone] = question['PhoneNumberSet']
    serial = f'2019:{len(seen):012d}'
    code = 'LimitExceeded.PhoneNumberDailyLimit' if mode == 'refuse-number' else 'Ok'
    status = {'SerialNo': '' if code != 'Ok' or mode == 'empty' else serial, 'PhoneNumber': phone, 'Fee': 1,
              'SessionContext': question['SessionContext'], 'Code': code, 'Message': 'x', 'IsoCode': 'CN'}
    if code == 'Ok' and state['fate'] != 'waiting':
        right = state['fate'] == 'delivered'
        queue.append({'UserReceiveTime': 1, 'CountryCode': '86', 'SubscriberNumber': phone[3:], 'PhoneNumber': phone,
                      'SerialNo': serial, 'ReportStatus': 'SUCCESS' if right else 'FAIL',
                      'Description': 'DELIVRD' if right else 'MK:0001', 'SessionContext': status['SessionContext']})
    return 200, {'Response': {'SendStatusSet': [status], 'RequestId': 'r'}}


def yunmas(request, body):
    mode = state['mode']
    question = json.loads(base64.b64decode(body, validate=True))
    names = ['ecName', 'apId', 'secretKey', 'mobiles', 'content', 'sign', 'addSerial']
    mac = hashlib.md5(''.join(question[name] for name in names).encode()).hexdigest()
    if question['secretKey'] != SECRET:
        return 200, {'msgGroup': '', 'rspcod': 'InvalidUsrOrPwd', 'success': False}
    if set(question) != {*names, 'mac'} or question['mac'] != mac:
        return 200, {'msgGroup': '', 'rspcod': 'IllegalMac', 'success': False}
    if mode.startswith('refuse'):
        return 200, {'msgGroup': '', 'rspcod': 'IllegalSignId', 'success': False}
    del question['secretKey']
    seen.append({'carrier': 'yunmas', 'question': question})
    return 200, {'msgGroup': '' if mode == 'empty' else f'{len(seen):032x}', 'rspcod': 'success', 'success': True}


class Carrier(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def do_GET(self):
        for name in ('mode', 'fate'):
            if self.path.startswith(f'/{name}/'):
                state[name] = self.path[len(name) + 2:]
                queue.clear()
        self.answer(200, json.dumps(seen).encode())

    def answer(self, status, body, length=None):
        self.send_response(status)
        self.send_header('content-type', 'application/json;charset=utf-8')
        self.send_header('content-length', str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('content-length', 0)))
        if self.path == '/sms/norsubmit':
            status, answer = yunmas(self, body)
        elif 'x-tc-action' in self.headers:
            status, answer = tencent(self, body)
        else:
            status, answer = aliyun(self, body)
        text = json.dumps(answer).encode()
        mode = state['mode']
        if mode == 'hang':
            time.sleep(30)
        if mode == 'late':
            time.sleep(0.6)
        if mode == 'broken':
            return self.answer(503, text)
        if mode == 'page':
            return self.answer(200, b'<html>Please sign in to this network</html>')
        if mode == 'torn':
            self.answer(200, text[:len(text) // 2], len(text))
            self.close_connection = True
            return None
        return self.answer(status, text)


server = ThreadingHTTPServer(('127.0.0.1', 0), Carrier)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
