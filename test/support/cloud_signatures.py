"""The request signatures of two clouds, computed anew from their documentation with Python's standard library, so that a
test's peer refuses whatever ours signs wrongly: Alibaba Cloud's ACS3 over SM3 or SHA-256, Tencent Cloud's TC3.
"""
import datetime, hashlib, hmac, json, re, time
from urllib.parse import parse_qsl, quote, unquote, urlsplit

KEY_ID = 'key-id'
nonces = set()


class Refused(Exception):
    pass


def due(condition, why):
    if not condition:
        raise Refused(why)


def algorithm(name):
    return lambda data=b'': hashlib.new(name, data)


def acs3(secret, method, target, headers, body):
    """https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature"""
    found = re.fullmatch(r'(ACS3-HMAC-(SM3|SHA256)) Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})',
                         headers['authorization'])
    due(found, 'IncompleteSignature')
    name, kind, key_id, signed, signature = found.groups()
    new = algorithm(kind.lower())
    split = urlsplit(target)
    pairs = [part.split('=', 1) for part in split.query.split('&') if part]
    query = '&'.join(f"{quote(unquote(k), safe='-_.~')}={quote(unquote(v), safe='-_.~')}"
                     for k, v in sorted(pairs, key=lambda pair: unquote(pair[0])))
    names = signed.split(';')
    due(names == sorted(names), 'SignedHeadersNotSorted')
    must = {'host'} | {name.lower() for name in headers.keys() if name.lower().startswith('x-acs-')}
    due(must <= set(names) and (not body or 'content-type' in names), 'HeadersNotSigned')
    lines = ''.join(f'{name}:{headers[name].strip()}\n' for name in names)
    hashed = new(body).hexdigest()
    due(headers['x-acs-content-sha256'] == hashed, 'BodyHash')
    canonical = '\n'.join([method, split.path, query, lines, signed, hashed])
    text = name + '\n' + new(canonical.encode()).hexdigest()
    right = hmac.new(secret.encode(), text.encode(), new).hexdigest()
    due(key_id == KEY_ID and hmac.compare_digest(right, signature), 'SignatureDoesNotMatch')
    stamp = datetime.datetime.strptime(headers['x-acs-date'], '%Y-%m-%dT%H:%M:%S%z').timestamp()
    due(abs(time.time() - stamp) < 900, 'InvalidTimeStamp.Expired')
    due(headers['x-acs-signature-nonce'] not in nonces, 'SignatureNonceUsed')
    nonces.add(headers['x-acs-signature-nonce'])
    return dict(parse_qsl(split.query)), name


def tc3(secret, of, method, target, headers, body):
    """https://cloud.tencent.com/document/api/382/52072"""
    found = re.fullmatch(r'TC3-HMAC-SHA256 Credential=([^/]+)/([\d-]+)/(\w+)/tc3_request, '
                         r'SignedHeaders=([^,]+), Signature=([0-9a-f]{64})', headers['authorization'])
    due(found, 'AuthFailure.InvalidAuthorization')
    key_id, date, service, signed, signature = found.groups()
    due({'content-type', 'host'} <= set(signed.split(';')), 'AuthFailure.InvalidAuthorization')
    stamp = int(headers['x-tc-timestamp'])
    due(abs(time.time() - stamp) < 300, 'AuthFailure.SignatureExpire')
    due(date == datetime.datetime.fromtimestamp(stamp, datetime.timezone.utc).strftime('%Y-%m-%d'), 'AuthFailure.Date')
    lines = ''.join(f'{name}:{headers[name].strip().lower()}\n' for name in signed.split(';'))
    canonical = '\n'.join([method, target, '', lines, signed, hashlib.sha256(body).hexdigest()])
    text = '\n'.join(['TC3-HMAC-SHA256', str(stamp), f'{date}/{service}/tc3_request',
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ('TC3' + secret).encode()
    for part in (date, service, 'tc3_request'):
        key = hmac.new(key, part.encode(), 'sha256').digest()
    right = hmac.new(key, text.encode(), 'sha256').hexdigest()
    due(key_id == KEY_ID and service == of and hmac.compare_digest(right, signature), 'AuthFailure.SignatureFailure')
    return json.loads(body)
