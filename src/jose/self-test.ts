/**
 * Known answers, and by them the choice of the engine: native where it gives them, sm-crypto where it does not.
 */
import { testEncryption } from './encryption-self-test.ts'
import { za } from './sm2-curve.ts'
import { nativeSm2, smCryptoSm2 } from './sm2-engine.ts'
import type { Sm2Engine } from './sm2-engine.ts'
import type { Sm2Multiplier } from './sm2-multiply.ts'
import { isRawSignature } from './sm2-signature.ts'
import { sm3, sm3Engine } from './sm3.ts'
import type { EngineName } from './sm3.ts'

// GB/T 32918.5-2017 A.2: a private key, its public key, and the signature of "message digest".
const known = {
  d: '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8',
  point:
    '09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020' +
    'ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
  signature:
    'f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3' +
    'b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa',
}

/** Whether an engine verifies the published signature, refuses another message, and signs what it verifies. */
export function knowsTheAnswers(engine: Sm2Engine): boolean {
  try {
    const point = Buffer.from(known.point, 'hex')
    const key = { point, d: Buffer.from(known.d, 'hex'), za: za(point) }
    const message = Buffer.from('message digest')
    const other = Buffer.from('message digesu')
    const published = Buffer.from(known.signature, 'hex')
    const signature = engine.sign(key, message)
    return (
      engine.publicPoint(key.d).equals(point) &&
      engine.verify(key, message, published) &&
      !engine.verify(key, other, published) &&
      isRawSignature(signature) &&
      engine.verify(key, message, signature) &&
      !engine.verify(key, other, signature)
    )
  } catch {
    return false
  }
}

/**
 * The first engine that knows the answers.
 * @throws Error where none does
 */
export function chooseEngine(engines: readonly Sm2Engine[]): Sm2Engine {
  const engine = engines.find(knowsTheAnswers)
  if (!engine) throw new Error('SM2 self-test failed: no engine gives the answers of GB/T 32918.5')
  return engine
}

let chosen: Sm2Engine | undefined

/** The engine of this process: decided at the first use, or earlier by `selfTest`, then kept. */
export function sm2Engine(): Sm2Engine {
  return (chosen ??= chooseEngine([nativeSm2, smCryptoSm2]))
}

/** Who computes what: signatures, digests, SM2 encryption, SM4-GCM. */
export interface Engines {
  readonly sm2: EngineName
  readonly sm3: EngineName
  readonly sm2Encryption: Sm2Multiplier['name']
  readonly sm4Gcm: EngineName
}

/**
 * Runs the known answers now and says which engines serve. Call it at start-up, to log a fall-back.
 * @throws Error where not even the fall-back gives the right answers
 */
export function selfTest(): Engines {
  const abc = '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'
  if (sm3('abc').toString('hex') !== abc) throw new Error('SM3 self-test failed: GB/T 32905 A.1')
  return { sm2: sm2Engine().name, sm3: sm3Engine.name, ...testEncryption() }
}
