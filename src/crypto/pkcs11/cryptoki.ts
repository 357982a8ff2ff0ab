/**
 * The few calls of PKCS#11 (Cryptoki 2.40) that signing needs, in the words of the standard without `C_`. Each runs on a
 * thread of its own, so that hardware that takes its time does not hold up the event loop. 64-bit Linux: a CK_ULONG is
 * 8 bytes, little-endian, and structures are not packed.
 */
import type { TypeObject } from 'koffi'

/** A session, an object, a slot. */
export type Handle = bigint
export type Template = readonly (readonly [type: number, value: Uint8Array])[]

export class CryptokiError extends Error {
  override readonly name = 'CryptokiError'
  readonly rv: number
  constructor(rv: number) {
    super(`${resultNames[rv] ?? 'CKR'} (0x${rv.toString(16)})`)
    this.rv = rv
  }
}

export const CKR = {
  GENERAL_ERROR: 0x05,
  FUNCTION_FAILED: 0x06,
  ATTRIBUTE_TYPE_INVALID: 0x12,
  DEVICE_ERROR: 0x30,
  DEVICE_REMOVED: 0x32,
  KEY_HANDLE_INVALID: 0x60,
  OBJECT_HANDLE_INVALID: 0x82,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_HANDLE_INVALID: 0xb3,
  TOKEN_NOT_PRESENT: 0xe0,
  TOKEN_NOT_RECOGNIZED: 0xe1,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  CRYPTOKI_NOT_INITIALIZED: 0x190,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const
const resultNames: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(CKR).map(([name, rv]) => [rv, `CKR_${name}`]),
)

export const CKO = { PUBLIC_KEY: 2n, PRIVATE_KEY: 3n } as const
export const CKA = {
  CLASS: 0x00,
  LABEL: 0x03,
  ID: 0x102,
  MODULUS: 0x120,
  PUBLIC_EXPONENT: 0x122,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
} as const
export const CKM = { SHA256_RSA_PKCS: 0x40n, ECDSA: 0x1041n } as const

const CKU_USER = 1n
const CKF_SERIAL_SESSION = 4n
const CKF_OS_LOCKING_OK = 2n

/** Where each function stands in CK_FUNCTION_LIST, after its version, and what it takes. */
const functions = {
  Initialize: [0, ['p']],
  Finalize: [1, ['p']],
  GetSlotList: [4, ['b', 'p', 'p']],
  GetTokenInfo: [6, ['u', 'p']],
  OpenSession: [12, ['u', 'u', 'p', 'p', 'p']],
  CloseSession: [13, ['u']],
  CloseAllSessions: [14, ['u']],
  Login: [18, ['u', 'u', 'p', 'u']],
  GetAttributeValue: [24, ['u', 'u', 'p', 'u']],
  FindObjectsInit: [26, ['u', 'p', 'u']],
  FindObjects: [27, ['u', 'p', 'u', 'p']],
  FindObjectsFinal: [28, ['u']],
  SignInit: [42, ['u', 'p', 'u']],
  Sign: [43, ['u', 'p', 'u', 'p', 'p']],
} as const satisfies Record<string, readonly [number, readonly ('p' | 'u' | 'b')[]]>
type Name = keyof typeof functions
type Argument = Uint8Array | bigint | number | null
type Called = (...args: unknown[]) => void

const types = { p: 'void *', u: 'ulong', b: 'uchar' } as const

export const ulong = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

export interface Cryptoki {
  /** Nothing where another part of this process has initialized the module: then it is not ours to finalize either. */
  initialize(): Promise<void>
  finalize(): Promise<void>
  /** Initializes anew, which makes a module look for tokens again; false where that must not be. */
  restart(): Promise<boolean>
  /** The slots that hold a token. */
  slots(): Promise<readonly Handle[]>
  tokenLabel(slot: Handle): Promise<string>
  openSession(slot: Handle): Promise<Handle>
  closeSession(session: Handle): Promise<void>
  closeAllSessions(slot: Handle): Promise<void>
  /** For all sessions of this process with the token. */
  login(session: Handle, pin: Uint8Array): Promise<void>
  /** At most eight. */
  find(session: Handle, template: Template): Promise<readonly Handle[]>
  attribute(session: Handle, object: Handle, type: number): Promise<Buffer>
  sign(session: Handle, mechanism: bigint, key: Handle, data: Uint8Array): Promise<Buffer>
}

/**
 * Loads a vendor's module. @param path its shared library
 * @throws Error where it cannot be loaded or is none; every call throws CryptokiError
 */
export async function loadCryptoki(path: string): Promise<Cryptoki> {
  const { default: koffi } = await import('koffi')
  // Deep: Node brings an OpenSSL of its own, which must not take the place of the one that the module was made for.
  const library = koffi.load(path, { deep: true })
  const found: [unknown] = [null]
  const got: unknown = library.func('ulong C_GetFunctionList(_Out_ void **list)')(found)
  if (Number(got) !== 0) throw new CryptokiError(Number(got))

  const functionAt = ([at, args]: readonly [number, readonly (keyof typeof types)[]]): Called => {
    const proto: TypeObject = koffi.proto(
      types.u,
      args.map((type) => types[type]),
    )
    const pointer: unknown = koffi.decode(found[0], 8 + 8 * at, 'void *')
    return (koffi.decode(pointer, proto) as { readonly async: Called }).async
  }
  const table = Object.fromEntries(
    Object.entries(functions).map(([name, entry]) => [name, functionAt(entry)]),
  ) as Record<Name, Called>

  /**
   * `kept` holds what the arguments point to until the call is over: the module reads and writes there meanwhile. The
   * library itself is held too: collected, it would be unmapped under the functions that were found in it.
   */
  const start = (name: Name, args: readonly Argument[], kept: unknown = undefined): Promise<unknown> =>
    new Promise((done, fail) => {
      table[name](...args, (error: unknown, rv: unknown) => {
        if (error) fail(error as Error)
        else if (Number(rv) !== 0) fail(new CryptokiError(Number(rv)))
        else done([args, kept, library])
      })
    })

  let ours = false
  let underWay = 0
  let restarting: Promise<void> | undefined

  /** While it is finalized, a module must not be called (PKCS#11 §5.4). */
  const call = async (name: Name, args: readonly Argument[], kept?: unknown): Promise<void> => {
    await restarting?.catch(() => undefined)
    underWay += 1
    try {
      await start(name, args, kept)
    } finally {
      underWay -= 1
    }
  }

  const initialize = async (): Promise<void> => {
    const args = Buffer.alloc(48)
    args.writeBigUInt64LE(CKF_OS_LOCKING_OK, 32)
    try {
      await start('Initialize', [args])
      ours = true
    } catch (error) {
      if (!(error instanceof CryptokiError) || error.rv !== CKR.CRYPTOKI_ALREADY_INITIALIZED) throw error
    }
  }

  const finalize = async (): Promise<void> => {
    if (ours) await start('Finalize', [null])
    ours = false
  }

  /** An array of CK_ATTRIBUTE: type, pointer, length. */
  const attributes = (template: Template): Buffer => {
    const bytes = Buffer.alloc(24 * template.length)
    for (const [n, [type, value]] of template.entries()) {
      bytes.writeBigUInt64LE(BigInt(type), 24 * n)
      bytes.writeBigUInt64LE(value.length === 0 ? 0n : koffi.address(value), 24 * n + 8)
      bytes.writeBigUInt64LE(BigInt(value.length), 24 * n + 16)
    }
    return bytes
  }

  return {
    initialize,
    finalize,
    async restart() {
      if (!ours || underWay > 0 || restarting) return false
      restarting = finalize().then(initialize)
      await restarting.finally(() => (restarting = undefined))
      return true
    },
    async slots() {
      const [list, count] = [Buffer.alloc(8 * 64), ulong(64n)]
      await call('GetSlotList', [1, list, count])
      return Array.from({ length: Number(count.readBigUInt64LE()) }, (_, n) => list.readBigUInt64LE(8 * n))
    },
    async tokenLabel(slot) {
      const info = Buffer.alloc(256)
      await call('GetTokenInfo', [slot, info])
      return info.toString('utf8', 0, 32).trimEnd()
    },
    async openSession(slot) {
      const session = ulong(0n)
      await call('OpenSession', [slot, CKF_SERIAL_SESSION, null, null, session])
      return session.readBigUInt64LE()
    },
    closeSession: (session) => call('CloseSession', [session]),
    closeAllSessions: (slot) => call('CloseAllSessions', [slot]),
    login: (session, pin) => call('Login', [session, CKU_USER, pin, BigInt(pin.length)]),
    async find(session, template) {
      await call('FindObjectsInit', [session, attributes(template), BigInt(template.length)], template)
      const [objects, count] = [Buffer.alloc(8 * 8), ulong(0n)]
      await call('FindObjects', [session, objects, 8n, count])
      await call('FindObjectsFinal', [session])
      return Array.from({ length: Number(count.readBigUInt64LE()) }, (_, n) => objects.readBigUInt64LE(8 * n))
    },
    async attribute(session, object, type) {
      // Longer than a modulus of 8192 bits; a longer value is CKR_BUFFER_TOO_SMALL.
      const value = Buffer.alloc(2048)
      const template: Template = [[type, value]]
      const asked = attributes(template)
      await call('GetAttributeValue', [session, object, asked, 1n], template)
      return value.subarray(0, Number(asked.readBigUInt64LE(16)))
    },
    async sign(session, mechanism, key, data) {
      await call('SignInit', [session, Buffer.concat([ulong(mechanism), Buffer.alloc(16)]), key])
      const [signature, length] = [Buffer.alloc(1024), ulong(1024n)]
      await call('Sign', [session, data, BigInt(data.length), signature, length])
      return signature.subarray(0, Number(length.readBigUInt64LE()))
    },
  }
}
