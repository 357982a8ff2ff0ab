/** What `bench/crypto.ts` measures: signatures, encryption and seals, ours and those they are held against. */
import { createCipheriv, generateKeyPairSync, sign } from 'node:crypto'
import * as jose from 'jose'
import type { Sm2Key } from 'jose'
import * as upstream from 'jose-upstream'
import smCrypto from 'sm-crypto'
import { sm2 as smV2, sm4 as sm4V2 } from 'sm-crypto-v2'
import { createSealer } from '#src/crypto/sealer.ts'
import { createSoftwareKeyWrapper } from '#src/crypto/software-key-wrapper.ts'
import type { Jobs } from './interleaved.ts'

const data = new Uint8Array(Buffer.from('x'.repeat(400)))
const hex = (text: string | undefined): string => Buffer.from(text ?? '', 'base64url').toString('hex')

interface Sm2Pair {
  readonly publicKey: Sm2Key
  readonly privateKey: Sm2Key
}

const sm2Pair = async (alg: string): Promise<Sm2Pair> =>
  (await jose.generateKeyPair(alg, { extractable: true })) as unknown as Sm2Pair

/** The numbers of a pair as sm-crypto and sm-crypto-v2 take them. */
async function hexOf({ privateKey }: Sm2Pair): Promise<{ readonly d: string; readonly point: string }> {
  const { d, x, y } = await jose.exportJWK(privateKey)
  return { d: hex(d), point: `04${hex(x)}${hex(y)}` }
}

export async function signatures(): Promise<Jobs> {
  const sm2 = await sm2Pair(jose.SGD_SM3_SM2)
  const { d, point } = await hexOf(sm2)
  const signature = jose.sm2Sign(sm2.privateKey, data)
  const theirs = smCrypto.sm2.doSignature(data, d, { hash: true })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return {
    'SM2 sign, ours': () => jose.sm2Sign(sm2.privateKey, data),
    'SM2 sign, sm-crypto': () => smCrypto.sm2.doSignature(data, d, { hash: true }),
    'RSA-2048 sign, Node': () => sign('sha256', data, rsa),
    'SM2 verify, ours': () => jose.sm2Verify(sm2.publicKey, data, signature),
    'SM2 verify, sm-crypto': () => smCrypto.sm2.doVerifySignature(data, theirs, point, { hash: true }),
    ...(await jws(jose.SGD_SM3_SM2, sm2, { ours: jose })),
  }
}

/** Signing and verifying by ES256 and RS256 through this package, through upstream, and through upstream once more. */
export async function standardSignatures(): Promise<Jobs> {
  const by = { ours: jose, upstream, 'upstream again': upstream }
  const [es256, rs256] = [await upstream.generateKeyPair('ES256'), await upstream.generateKeyPair('RS256')]
  return { ...(await jws('ES256', es256, by)), ...(await jws('RS256', rs256, by)) }
}

type Jose = Pick<typeof upstream, 'CompactSign' | 'compactVerify'>

async function jws(
  alg: string,
  { publicKey, privateKey }: { publicKey: upstream.CryptoKey; privateKey: upstream.CryptoKey },
  by: Readonly<Record<string, Jose>>,
): Promise<Jobs> {
  const signed = ({ CompactSign }: Jose) => new CompactSign(data).setProtectedHeader({ alg }).sign(privateKey)
  const token = await signed(jose)
  return Object.fromEntries(
    Object.entries(by).flatMap(([name, from]) => [
      [`${alg} JWS sign, ${name}`, () => signed(from)],
      [`${alg} JWS verify, ${name}`, () => from.compactVerify(token, publicKey)],
    ]),
  )
}

export async function encryption(): Promise<Jobs> {
  const sm2 = await sm2Pair(jose.SGD_SM2_3)
  const { d, point } = await hexOf(sm2)
  const cek = new Uint8Array(16).fill(7)
  const sealed = jose.sm2Encrypt(sm2.publicKey, cek)
  const theirs = smV2.doEncrypt(cek, point, 1)
  return {
    'SM2 encrypt, ours': () => jose.sm2Encrypt(sm2.publicKey, cek),
    'SM2 encrypt, sm-crypto': () => smCrypto.sm2.doEncrypt(cek, point, 1),
    'SM2 encrypt, sm-crypto-v2': () => smV2.doEncrypt(cek, point, 1),
    'SM2 decrypt, ours': () => jose.sm2Decrypt(sm2.privateKey, sealed),
    'SM2 decrypt, sm-crypto': () => smCrypto.sm2.doDecrypt(theirs, d, 1, { output: 'array' }),
    'SM2 decrypt, sm-crypto-v2': () => smV2.doDecrypt(theirs, d, 1, { output: 'array' }),
    ...gcm(1024),
    ...gcm(4096),
    ...(await encryptedTokens(sm2)),
  }
}

function gcm(length: number): Jobs {
  const [key, iv, aad, text] = [16, 12, 64, length].map((size) => new Uint8Array(size).fill(3)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const options = { mode: 'gcm', iv, associatedData: aad, output: 'array', outputTag: true } as const
  const { ciphertext, tag } = jose.sm4GcmEncrypt(key, iv, text, aad)
  return {
    [`SM4-GCM seal ${length} B, ours`]: () => jose.sm4GcmEncrypt(key, iv, text, aad),
    [`SM4-GCM open ${length} B, ours`]: () => jose.sm4GcmDecrypt(key, iv, ciphertext, tag, aad),
    [`SM4-GCM seal ${length} B, sm-crypto-v2`]: () => sm4V2.encrypt(text, key, options),
    [`AES-128-GCM seal ${length} B, Node`]: () => {
      const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(aad)
      cipher.update(text)
      cipher.final()
      return cipher.getAuthTag()
    },
  }
}

/** What a token endpoint does for a client that wants its ID token signed and encrypted, and what the client does. */
async function encryptedTokens({ publicKey, privateKey }: Sm2Pair): Promise<Jobs> {
  const signing = await sm2Pair(jose.SGD_SM3_SM2)
  const issue = async (): Promise<string> => {
    const inner = await new jose.SignJWT({ sub: 'x'.repeat(43), nonce: 'n'.repeat(22), name: '一号' })
      .setProtectedHeader({ alg: jose.SGD_SM3_SM2, kid: 'sign' })
      .setIssuedAt()
      .setExpirationTime('5 minutes')
      .sign(signing.privateKey)
    return new jose.CompactEncrypt(Buffer.from(inner))
      .setProtectedHeader({ alg: jose.SGD_SM2_3, enc: jose.SGD_SM4_GCM, cty: 'JWT' })
      .encrypt(publicKey)
  }
  const token = await issue()
  return {
    'ID token signed and encrypted': issue,
    'ID token decrypted and verified': async () => {
      const { plaintext } = await jose.compactDecrypt(token, privateKey)
      return jose.jwtVerify(plaintext, signing.publicKey)
    },
  }
}

export async function seals(): Promise<Jobs> {
  const key = new Uint8Array(32).fill(7)
  const wrapper = createSoftwareKeyWrapper({ current: '1', keys: { 1: key } })
  const sealer = createSealer(() => ({ wrapper, index: [] }))
  const dataKey = await sealer.newDataKey('bench')
  const sealed = await sealer.seal(dataKey, 'bench', 'x'.repeat(1000), 'bench')
  return {
    'seal 1 kB (SM4-CTR + HMAC-SM3)': () => sealer.seal(dataKey, 'bench', 'x'.repeat(1000), 'bench'),
    'open 1 kB': () => sealer.open(dataKey, 'bench', sealed, 'bench'),
  }
}
