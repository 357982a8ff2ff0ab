/**
 * Writes the audit trail: seals who it was, chains the record, and resolves once it is durable. A login whose record
 * cannot be written does not happen (DESIGN D11); so callers await `record` before their answer leaves.
 */
import type { Sealer } from '#src/crypto/sealer.ts'
import type { Signer } from '#src/crypto/signer.ts'
import { AppError } from '#src/errors.ts'
import type { AuditRow, Storage } from '#src/storage/storage.ts'
import { genesis, link, origin, type Head } from './chain.ts'

export type EventType =
  | 'challenge.sent'
  | 'challenge.delivered'
  | 'challenge.undelivered'
  | 'challenge.answered'
  | 'register.checked'
  | 'account.opened'
  | 'account.proofed'
  | 'account.reclaimed'
  | 'account.suspended'
  | 'person.renamed'
  | 'document.void'
  | 'document.renumbered'
  | 'phone.bound'
  | 'phone.ended'
  | 'account.merged'
  | 'consent.given'
  | 'link.added'
  | 'link.removed'
  | 'passkey.added'
  | 'passkey.renamed'
  | 'passkey.removed'
  | 'passkey.copied'
  | 'citizen.told'
  | 'login'
  | 'notice.shown'
  | 'notice.answered'
  | 'notice.withdrawn'
  | 'authorization'
  | 'token'
  | 'claims.released'
  | 'introspection'
  | 'revocation'
  | 'logout'
  | 'logout.notice'
  | 'application.seeded'
  | 'keys.rewrapped'
  | 'keys.reindexed'
  | 'person.tampered'
  | 'store.restored'
  | 'key.published'
  | 'key.activated'
  | 'key.retired'
  | 'key.removed'
  | 'request.refused'

export interface AuditEvent {
  readonly type: EventType
  readonly outcome: 'ok' | 'refused' | 'failed'
  /** A stable code, never free text. */
  readonly reason?: string
  /** 编号, which the citizen may have been shown. */
  readonly reference?: string
  readonly application?: string
  readonly channel?: string
  readonly verifier?: string
  readonly level?: number
  readonly amr?: readonly string[]
  /** Further facts that name nobody: claim names, grant type, notice version. */
  readonly facts?: { readonly [key: string]: string | number | boolean | readonly string[] }
  /** Identity, sealed under the trail's own retention key. */
  readonly person?: string
  readonly address?: string
}

export interface Recorder {
  /** @throws AppError `audit_broken` when the record could not be made durable */
  record(event: AuditEvent): Promise<void>
  /** Signs the head, if there is anything new under it. */
  checkpoint(): Promise<void>
  /** Signs the head once what was begun is written. */
  close(): Promise<void>
}

interface Dependencies {
  readonly storage: Pick<Storage, 'audit' | 'dataKeys'>
  readonly sealer: Sealer
  /** The audit key of now, asked for at each checkpoint: it may change while the server runs. */
  readonly signer: () => Signer
  readonly node: string
  readonly retentionDays: number
  readonly checkpointRecords: number
  readonly checkpointSeconds: number
  readonly now?: () => number
  /** Told of a checkpoint that could not be written in the background. */
  readonly onFault?: (error: unknown) => void
}

const day = 86_400_000

/** Bounds one write of the store. */
const batchSize = 256

/** Identities are sealed under one key a month; it is destroyed when the month's last record is past retention. */
export function retentionKey(at: number, retentionDays: number): { readonly id: string; readonly expiresAt: number } {
  const date = new Date(at)
  const next = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
  return { id: `audit:${date.toISOString().slice(0, 7)}`, expiresAt: next + retentionDays * day }
}

/** A key is read anew after this long: it may have been wrapped anew since, and the old wrapping key retired. */
const keyAgeMs = 60_000

export const identityContext = 'audit.identity'

interface Waiting {
  readonly row: Pick<AuditRow, 'at' | 'reference' | 'body'>
  readonly done: (seq: number) => void
  readonly fail: (error: unknown) => void
}

export function createRecorder(deps: Dependencies): Recorder {
  const { storage, sealer, node, now = Date.now } = deps
  const keys = new Map<string, { readonly at: number; readonly wrapped: Promise<string> }>()
  let waiting: Waiting[] = []
  let appending: Promise<void> | undefined
  /** What this process itself made durable last: signing it, not what the store says, shows a row changed since. */
  let head: Head | undefined
  let signed: number | undefined
  let checkpointing: Promise<void> | undefined

  const loadHead = async (): Promise<Head> => (await storage.audit.last(node)) ?? genesis(node)

  const loadKey = (at: number): Promise<string> => {
    const { id, expiresAt } = retentionKey(at, deps.retentionDays)
    const held = keys.get(id)
    if (held && Math.abs(at - held.at) < keyAgeMs) return held.wrapped
    const wrapped = (async () => {
      const known = await storage.dataKeys.get(id)
      return (known ?? (await storage.dataKeys.add({ id, wrapped: await sealer.newDataKey(id), expiresAt }))).wrapped
    })()
    wrapped.catch(() => keys.delete(id))
    keys.set(id, { at, wrapped })
    return wrapped
  }

  const bodyOf = async (event: AuditEvent, at: number): Promise<string> => {
    const { person, address, reference: _, ...facts } = event
    if (person === undefined && address === undefined) return JSON.stringify(facts)
    const { id } = retentionKey(at, deps.retentionDays)
    const who = await sealer.seal(await loadKey(at), id, JSON.stringify({ person, address }), identityContext)
    return JSON.stringify({ ...facts, who, key: id })
  }

  /**
   * One append at a time; what arrives meanwhile goes with the next. So nothing is ever chained to a row that failed,
   * and after a failure the head is read anew.
   */
  const appendAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchSize)
      try {
        let last = head ?? (await loadHead())
        const rows = batch.map(({ row }) => {
          const linked = link(last, row)
          last = linked
          return linked
        })
        await storage.audit.append(rows)
        head = last
        for (const [at, { done }] of batch.entries()) done((rows[at] as AuditRow).seq)
      } catch (error) {
        head = undefined
        for (const { fail } of batch) fail(error)
      }
    }
    appending = undefined
  }

  const append = (row: Waiting['row']): Promise<number> =>
    new Promise((done, fail) => {
      waiting.push({ row, done, fail })
      appending ??= appendAll()
    })

  const sign = async (): Promise<void> => {
    signed ??= (await storage.audit.lastCheckpoint(node))?.seq ?? 0
    const { seq, hash } = head ?? (await loadHead())
    if (seq <= signed) return
    const at = now()
    const signer = deps.signer()
    const header = { alg: signer.alg, kid: signer.kid, typ: 'audit-checkpoint+jwt' }
    const input = [header, { origin, node, seq, hash, at }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = Buffer.from(await signer.sign(Buffer.from(input))).toString('base64url')
    await storage.audit.putCheckpoint({ node, seq, at, jws: `${input}.${signature}` })
    signed = seq
  }

  /** One signature at a time; whoever asks meanwhile gets one of his own after it. */
  const checkpoint = (): Promise<void> => {
    const mine: Promise<void> = (checkpointing ?? Promise.resolve())
      .catch(() => undefined)
      .then(sign)
      .finally(() => {
        if (checkpointing === mine) checkpointing = undefined
      })
    checkpointing = mine
    return mine
  }

  const inBackground = () => void checkpoint().catch((error: unknown) => deps.onFault?.(error))
  const timer = setInterval(inBackground, deps.checkpointSeconds * 1000)
  timer.unref()

  return {
    async record(event) {
      const at = now()
      try {
        const body = await bodyOf(event, at)
        const seq = await append({ at, body, ...(event.reference === undefined ? {} : { reference: event.reference }) })
        if (!checkpointing && seq - (signed ?? 0) >= deps.checkpointRecords) inBackground()
      } catch (cause) {
        throw new AppError('audit_broken', { cause })
      }
    },
    checkpoint,
    /** The store behind must be closed whatever happens here, so a checkpoint that fails is told, not thrown. */
    async close() {
      clearInterval(timer)
      await appending
      await checkpoint().catch((error: unknown) => deps.onFault?.(error))
    },
  }
}
