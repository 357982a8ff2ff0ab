/**
 * A token that stays usable: sessions to lend, since a PKCS#11 session does one thing at a time, and all of them opened
 * anew when one fails, as after a token was taken out, a network HSM was restarted or a session was lost. A wrong PIN
 * is shown to the token once and never again: tokens lock themselves after a few.
 */
import { isDeepStrictEqual } from 'node:util'
import { AppError, isAppError } from '#src/errors.ts'
import { CKA, CKO, CKR, CryptokiError, ulong, type Cryptoki, type Handle } from './cryptoki.ts'
import { publicMembersOf, type PublicMembers } from './public-key.ts'

export interface TokenSettings {
  /** Label of the token. */
  readonly token: string
  /** Labels of its private keys; each has a public key object of the same CKA_ID. */
  readonly labels: readonly string[]
  /** Asked for at each log-in, and overwritten after it. */
  readonly pin: () => Uint8Array
  readonly sessions: number
  /** How long a use may take, waiting for a session included. */
  readonly timeoutMs: number
}

export interface TokenKey {
  readonly handle: Handle
  readonly publicMembers: PublicMembers
}

export interface Token {
  /** The public half of a key, as it was when the token was opened. */
  publicMembers(label: string): PublicMembers
  /** @throws AppError `key_unavailable` where the token fails twice, `key_invalid` where it holds another key or PIN now */
  use<Result>(label: string, work: Work<Result>): Promise<Result>
  /** False where a call never came back: the module must not be finished then. */
  close(): Promise<boolean>
}

type Work<Result> = (session: Handle, key: Handle) => Promise<Result>

/** Uses that may wait for a session; more are refused at once. */
const mostWaiting = 1024

/** What one log-in gives. */
interface Opened {
  readonly keys: ReadonlyMap<string, TokenKey>
  readonly free: Handle[]
  readonly waiting: ((session: Handle) => void)[]
  lent: number
}

const pinRefusals: ReadonlySet<number> = new Set([
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.PIN_EXPIRED,
  CKR.PIN_LOCKED,
])

const isResult = (error: unknown, rv: number) => error instanceof CryptokiError && error.rv === rv

const invalid = (detail: string, cause?: unknown) => new AppError('key_invalid', { detail, cause })

export async function openToken(cryptoki: Cryptoki, settings: TokenSettings): Promise<Token> {
  const { token, labels, pin, sessions, timeoutMs } = settings
  let refused: AppError | undefined
  let first: ReadonlyMap<string, TokenKey> | undefined
  let current: Promise<Opened> | undefined

  async function slotOfToken(): Promise<Handle | undefined> {
    for (const slot of await cryptoki.slots())
      if ((await cryptoki.tokenLabel(slot).catch(() => undefined)) === token) return slot
    return undefined
  }

  /** Some modules look for tokens once only, when they are initialized. */
  async function presentSlot(): Promise<Handle> {
    const slot = (await slotOfToken()) ?? ((await cryptoki.restart()) ? await slotOfToken() : undefined)
    if (slot === undefined) throw new AppError('key_unavailable', { detail: `there is no token ${token}; put it in` })
    return slot
  }

  async function logIn(session: Handle): Promise<void> {
    const shown = pin()
    try {
      await cryptoki.login(session, shown)
    } catch (error) {
      if (isResult(error, CKR.USER_ALREADY_LOGGED_IN)) return
      if (!(error instanceof CryptokiError) || !pinRefusals.has(error.rv)) throw error
      refused = invalid(`the token ${token} refuses the PIN (${error.message}); it is not shown again before a restart`)
      throw refused
    } finally {
      shown.fill(0)
    }
  }

  async function keyOf(session: Handle, label: string): Promise<TokenKey> {
    const named = (of: bigint, id: readonly [number, Uint8Array]) =>
      cryptoki.find(session, [[CKA.CLASS, ulong(of)], id])
    const found = await named(CKO.PRIVATE_KEY, [CKA.LABEL, Buffer.from(label)])
    const [handle] = found
    if (handle === undefined || found.length > 1)
      throw invalid(
        `the token ${token} has ${found.length} private keys with the label ${label}; make one, or name another (keys/README.md)`,
      )
    const id = await cryptoki.attribute(session, handle, CKA.ID)
    const [half] = await named(CKO.PUBLIC_KEY, [CKA.ID, id])
    if (half === undefined) throw invalid(`the token ${token} has no public key beside ${label} (the same CKA_ID)`)
    const publicMembers = await publicMembersOf((type) => cryptoki.attribute(session, half, type))
    if (!publicMembers) throw invalid(`the key ${label} is neither on P-256 nor an RSA one of 2048 bits or more`)
    const before = first?.get(label)?.publicMembers
    if (before && !isDeepStrictEqual(before, publicMembers))
      throw invalid(`the label ${label} names another key than at the start; restart to use it`)
    return { handle, publicMembers }
  }

  async function open(): Promise<Opened> {
    if (refused) throw refused
    const slot = await presentSlot()
    const free: Handle[] = []
    try {
      while (free.length < sessions) free.push(await cryptoki.openSession(slot))
      const session = free[0] as Handle
      await logIn(session)
      const keys = new Map<string, TokenKey>()
      for (const label of labels) keys.set(label, await keyOf(session, label))
      return { keys, free, waiting: [], lent: 0 }
    } catch (error) {
      await closeAll(free)
      throw error
    }
  }

  const closeAll = async (all: readonly Handle[]): Promise<void> => {
    for (const session of all) await cryptoki.closeSession(session).catch(() => undefined)
  }

  /** One opening serves all who wait for it; a failed one is tried again by the next who comes. */
  const opened = (): Promise<Opened> => {
    if (current) return current
    const mine = open()
    current = mine
    mine.catch(() => abandon(mine))
    return mine
  }

  const abandon = (one: Promise<Opened>): void => {
    if (current === one) current = undefined
  }

  const take = async ({ free, waiting }: Opened): Promise<Handle> => {
    if (waiting.length >= mostWaiting)
      throw new AppError('key_unavailable', { detail: `the token ${token} is too busy` })
    return free.pop() ?? new Promise((done) => waiting.push(done))
  }

  async function attempt<Result>(label: string, work: Work<Result>): Promise<Result> {
    const mine = opened()
    const own = await mine
    const session = await take(own)
    own.lent += 1
    try {
      return await work(session, (own.keys.get(label) as TokenKey).handle)
    } catch (error) {
      abandon(mine)
      throw error
    } finally {
      own.lent -= 1
      const next = own.waiting.shift()
      if (next) next(session)
      else own.free.push(session)
      if (current !== mine && own.lent === 0 && !next) void closeAll(own.free.splice(0))
    }
  }

  const failed = (cause: unknown): AppError => {
    if (isAppError(cause)) return cause
    const detail = `the token ${token} fails: ${cause instanceof CryptokiError ? cause.message : 'its module is broken'}`
    return new AppError('key_unavailable', { detail, cause })
  }

  first = (
    await opened().catch((error: unknown) => {
      throw failed(error)
    })
  ).keys

  const twice = async <Result>(label: string, work: Work<Result>): Promise<Result> => {
    try {
      return await attempt(label, work).catch((error: unknown) => {
        if (error instanceof CryptokiError) return attempt(label, work)
        throw error
      })
    } catch (error) {
      throw failed(error)
    }
  }

  return {
    publicMembers: (label) => (first?.get(label) as TokenKey).publicMembers,
    async use(label, work) {
      const late = Promise.withResolvers<never>()
      const detail = `the token ${token} did not answer within ${timeoutMs} ms`
      const timer = setTimeout(() => late.reject(new AppError('key_unavailable', { detail })), timeoutMs)
      return Promise.race([twice(label, work), late.promise]).finally(() => clearTimeout(timer))
    },
    async close() {
      const own = await current?.catch(() => undefined)
      current = undefined
      if (!own) return true
      await closeAll(own.free.splice(0))
      return own.lent === 0
    },
  }
}
