/**
 * Known answers of encryption: SM2 by GB/T 32918.5-2017 C.2, and by it the choice of who multiplies; SM4-GCM by
 * RFC 8998 A.1.
 */
import { decryptBy, encryptTo } from './sm2-cipher.ts'
import { bigintMultiplier, nativeMultiplier } from './sm2-multiply.ts'
import type { Sm2Multiplier } from './sm2-multiply.ts'
import { sm4Engine } from './sm4.ts'
import type { Sm4Engine } from './sm4.ts'
import { sm4GcmDecrypt, sm4GcmEncrypt } from './sm4-gcm.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

// GB/T 32918.5-2017 C.2: d and its public key, k, and the ciphertext of "encryption standard".
const sm2 = {
  d: hex('3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8'),
  point: hex(
    '09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020' +
      'ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
  ),
  k: hex('59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21'),
  message: Buffer.from('encryption standard'),
  ciphertext: hex(
    '307c022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73' +
      '022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0' +
      '042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766' +
      '041321886ca989ca9c7d58087307ca93092d651efa',
  ),
}

// RFC 8998 A.1.
const gcm = {
  key: hex('0123456789abcdeffedcba9876543210'),
  iv: hex('00001234567800000000abcd'),
  associatedData: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
  plaintext: hex('aabbccddeeffeeaa'.replace(/../g, (byte) => byte.repeat(8))),
  ciphertext: hex(
    '17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735' +
      'd82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d',
  ),
  tag: hex('83de3541e4c2b58177e065a9bf7b62ec'),
}

/** Whether it gives the published ciphertext, opens it, opens what it made itself, and refuses a changed one. */
export function multipliesRight(multiplier: Sm2Multiplier): boolean {
  try {
    const published = encryptTo(multiplier, sm2.point, sm2.message, () => sm2.k)
    const own = encryptTo(multiplier, sm2.point, sm2.message)
    const changed = flipped(sm2.ciphertext)
    return (
      published.equals(sm2.ciphertext) &&
      decryptBy(multiplier, sm2.d, published)?.equals(sm2.message) === true &&
      decryptBy(multiplier, sm2.d, own)?.equals(sm2.message) === true &&
      decryptBy(multiplier, sm2.d, changed) === undefined
    )
  } catch {
    return false
  }
}

/**
 * The first that multiplies right.
 * @throws Error where none does
 */
export function chooseMultiplier(multipliers: readonly Sm2Multiplier[]): Sm2Multiplier {
  const multiplier = multipliers.find(multipliesRight)
  if (!multiplier) throw new Error('SM2 self-test failed: no engine gives the ciphertext of GB/T 32918.5 C.2')
  return multiplier
}

let chosen: Sm2Multiplier | undefined

/** The multiplier of this process: decided at the first use, or earlier by `testEncryption`, then kept. */
export function sm2Multiplier(): Sm2Multiplier {
  return (chosen ??= chooseMultiplier([nativeMultiplier, bigintMultiplier]))
}

/** Whether the engine seals the published text, opens it again, and refuses a changed tag. */
export function sealsRight(engine: Sm4Engine): boolean {
  try {
    const { key, iv, associatedData, plaintext } = gcm
    const { ciphertext, tag } = sm4GcmEncrypt(key, iv, plaintext, associatedData, engine)
    return (
      ciphertext.equals(gcm.ciphertext) &&
      tag.equals(gcm.tag) &&
      sm4GcmDecrypt(key, iv, ciphertext, tag, associatedData, engine)?.equals(plaintext) === true &&
      sm4GcmDecrypt(key, iv, ciphertext, flipped(tag), associatedData, engine) === undefined
    )
  } catch {
    return false
  }
}

/**
 * Runs the known answers of encryption now and says who gives them.
 * @throws Error where not even the fall-back does
 */
export function testEncryption(): {
  readonly sm2Encryption: Sm2Multiplier['name']
  readonly sm4Gcm: Sm4Engine['name']
} {
  if (!sealsRight(sm4Engine)) throw new Error('SM4-GCM self-test failed: RFC 8998 A.1')
  return { sm2Encryption: sm2Multiplier().name, sm4Gcm: sm4Engine.name }
}

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  changed[changed.length - 1]! ^= 1
  return changed
}
