"""SM2 signatures (GB/T 32918.2) and ECDSA over P-256 (FIPS 186-5) with whole numbers alone, to be another hand than ours."""
import base64, hashlib, json, secrets

CURVES = {
    'sm2p256v1': dict(
        p=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
        a=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC,
        b=0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
        n=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
        g=(0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
           0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)),
    'P-256': dict(
        p=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        a=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        g=(0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
           0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)),
}


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def to32(number):
    return number.to_bytes(32, 'big')


def add(c, P, Q):
    if P is None or Q is None:
        return Q if P is None else P
    p = c['p']
    if P[0] == Q[0]:
        if (P[1] + Q[1]) % p == 0:
            return None
        slope = (3 * P[0] * P[0] + c['a']) * pow(2 * P[1], -1, p) % p
    else:
        slope = (Q[1] - P[1]) * pow(Q[0] - P[0], -1, p) % p
    x = (slope * slope - P[0] - Q[0]) % p
    return x, (slope * (P[0] - x) - P[1]) % p


def double(c, P):
    """In Jacobian coordinates, as `plus`: x = X/Z², y = Y/Z³; no inversion on the way."""
    p, (X, Y, Z) = c['p'], P
    S, M = 4 * X * Y * Y % p, (3 * X * X + c['a'] * pow(Z, 4, p)) % p
    X2 = (M * M - 2 * S) % p
    return X2, (M * (S - X2) - 8 * pow(Y, 4, p)) % p, 2 * Y * Z % p


def plus(c, P, Q):
    if P is None:
        return Q
    p, (X, Y, Z), (U, V, W) = c['p'], P, Q
    A, B, C, D = X * W * W % p, U * Z * Z % p, Y * W ** 3 % p, V * Z ** 3 % p
    if A == B:
        return double(c, P) if C == D else None
    E, F = (B - A) % p, (D - C) % p
    X3 = (F * F - E ** 3 - 2 * A * E * E) % p
    return X3, (F * (A * E * E - X3) - C * E ** 3) % p, E * Z * W % p


def times(c, k, P):
    sum_, power = None, (*P, 1)
    while k:
        if k & 1:
            sum_ = plus(c, sum_, power)
        power, k = double(c, power), k >> 1
    z = pow(sum_[2], -1, c['p'])
    return sum_[0] * z * z % c['p'], sum_[1] * z ** 3 % c['p']


class Key:
    """A key of one of the two curves; `d` None: public."""

    def __init__(self, crv, d=None, point=None):
        self.crv, self.c, self.d = crv, CURVES[crv], d
        self.alg = 'SGD_SM3_SM2' if crv == 'sm2p256v1' else 'ES256'
        self.point = point or times(self.c, d, self.c['g'])
        self.kid = hashlib.sha256(to32(self.point[0])).hexdigest()[:12]

    @staticmethod
    def new(crv):
        return Key(crv, d=secrets.randbelow(CURVES[crv]['n'] - 2) + 1)

    @staticmethod
    def of(jwk):
        return Key(jwk['crv'], point=tuple(int.from_bytes(unb64(jwk[m]), 'big') for m in 'xy'))

    def jwk(self):
        x, y = map(to32, self.point)
        return {'kty': 'EC', 'crv': self.crv, 'x': b64(x), 'y': b64(y), 'kid': self.kid, 'alg': self.alg, 'use': 'sig'}

    def digest(self, message):
        if self.alg == 'ES256':
            return int.from_bytes(hashlib.sha256(message).digest(), 'big')
        identity = b'1234567812345678'
        z = (len(identity) * 8).to_bytes(2, 'big') + identity
        for number in (self.c['a'], self.c['b'], *self.c['g'], *self.point):
            z += to32(number)
        return int.from_bytes(hashlib.new('sm3', hashlib.new('sm3', z).digest() + message).digest(), 'big')

    def sign(self, message):
        n, e = self.c['n'], self.digest(message)
        while True:
            k = secrets.randbelow(n - 1) + 1
            x = times(self.c, k, self.c['g'])[0]
            if self.alg == 'ES256':
                r = x % n
                s = pow(k, -1, n) * (e + r * self.d) % n
            else:
                r = (e + x) % n
                s = pow(1 + self.d, -1, n) * (k - r * self.d) % n
                if r + k == n:
                    continue
            if r and s:
                return to32(r) + to32(s)

    def verify(self, message, signature):
        n, e = self.c['n'], self.digest(message)
        r, s = int.from_bytes(signature[:32], 'big'), int.from_bytes(signature[32:], 'big')
        if len(signature) != 64 or not (0 < r < n and 0 < s < n):
            return False
        if self.alg == 'ES256':
            w = pow(s, -1, n)
            x = add(self.c, times(self.c, e * w % n, self.c['g']), times(self.c, r * w % n, self.point))
            return x is not None and x[0] % n == r
        t = (r + s) % n
        x = add(self.c, times(self.c, s, self.c['g']), times(self.c, t, self.point))
        return t != 0 and x is not None and (e + x[0]) % n == r

    def jwt(self, claims, **header):
        head = {'alg': self.alg, 'kid': self.kid, **header}
        text = '.'.join(b64(json.dumps(part).encode()) for part in (head, claims))
        return text + '.' + b64(self.sign(text.encode()))

    def read(self, jwt):
        """The claims, or None where the signature does not hold."""
        head, claims, signature = jwt.split('.')
        if json.loads(unb64(head))['alg'] != self.alg or not self.verify(f'{head}.{claims}'.encode(), unb64(signature)):
            return None
        return json.loads(unb64(claims))
