/**
 * Known answers at start-up (GM/T 0028-2014 §7.10: a module tests its algorithms before it serves): SM3 GB/T 32905-2016 A.1,
 * HMAC-SM3, SM4 GB/T 32907-2016 A.1 in the modes the sealer uses, SM2 GB/T 32918.5-2017 A.2 and C.2, SM4-GCM RFC 8998 A.1.
 */
import { createCipheriv } from 'node:crypto'
import { generateKeyPair, hmacSm3, selfTest, SGD_SM3_SM2, sm2Sign, sm2Verify, sm3 } from 'jose'
import type { Engines, Sm2Key } from 'jose'
import { AppError } from '#src/errors.ts'

export interface SelfTestResult extends Engines {
  readonly sm4: 'native'
}

/**
 * Says which engine gives each algorithm; anything but `native` is worth a warning in the log.
 * @throws AppError internal, naming the algorithm, where not even the fall-back gives the right answer
 */
export async function runSelfTest(): Promise<SelfTestResult> {
  attempt('SM4', testSm4)
  const engines = attempt('SM2, SM3, SM4-GCM', selfTest)
  attempt('SM3', () => equal(sm3('abc'), '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'))
  attempt('HMAC-SM3', () =>
    equal(
      hmacSm3('Jefe', 'what do ya want for nothing?'),
      '2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882',
    ),
  )
  const { privateKey, publicKey } = await generateKeyPair(SGD_SM3_SM2)
  attempt('SM2', () => testSm2(privateKey as Sm2Key, publicKey as Sm2Key))
  return Object.freeze({ ...engines, sm4: 'native' })
}

function testSm4(): void {
  const block = Buffer.from('0123456789abcdeffedcba9876543210', 'hex') // both key and plain text of the example
  const cipher = '681edf34d206965e86b3e94f536e4246'
  // With a zero vector CBC's first block is the block cipher itself; so is CTR's key stream with the text as counter.
  equal(createCipheriv('sm4-cbc', block, Buffer.alloc(16)).setAutoPadding(false).update(block), cipher)
  equal(createCipheriv('sm4-ctr', block, block).update(Buffer.alloc(16)), cipher)
}

/** A fresh key both ways; the published signature is part of `selfTest`. */
function testSm2(privateKey: Sm2Key, publicKey: Sm2Key): void {
  const message = Buffer.from('message digest')
  const signature = sm2Sign(privateKey, message)
  const forged = Buffer.from(signature)
  forged[63] = (forged[63] ?? 0) ^ 1
  if (!sm2Verify(publicKey, message, signature) || sm2Verify(publicKey, message, forged))
    throw new Error('a signature of its own is not told from a forged one')
}

function equal(actual: Buffer, expected: string): void {
  if (actual.toString('hex') !== expected) throw new Error('not the published answer')
}

function attempt<Result>(name: string, test: () => Result): Result {
  try {
    return test()
  } catch (cause) {
    throw new AppError('internal', { detail: `self-test of ${name} failed`, cause })
  }
}
