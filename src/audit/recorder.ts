/**
 * Writes the audit trail: seals who it was, chains the record, and resolves once it is durable. A login whose record
 * cannot be written does not happen (DESIGN D11); so callers await `record` before their answer leaves.
 */
import type { Sealer } from '#src/crypto/sealer.ts'
import type { Signer } from '#src/crypto/signer.ts'
import { AppError } from '#src/errors.ts'
import type { CheckpointRow, Storage } from '#src/storage/storage.ts'
import { genesis, link, origin, type Head } from './chain.ts'

export type EventType =
  | 'challenge.sent'
  | 'challenge.answered'
  | 'register.checked'
  | 'account.opened'
  | 'account.proofed'
  | 'phone.bound'
  | 'login'
  | 'notice.shown'
  | 'notice.answered'
  | 'authorization'
  | 'token'
  | 'claims.released'
  | 'introspection'
  | 'revocation'
  | 'logout'
  | 'logout.notice'
  | 'application.seeded'
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
  close(): Promise<void>
}

interface Dependencies {
  readonly storage: Pick<Storage, 'audit' | 'dataKeys'>
  readonly sealer: Sealer
  readonly signer: Signer
  readonly node: string
  readonly retentionDays: number
  readonly checkpointRecords: number
  readonly checkpointSeconds: number
  readonly now?: () => number
  /** Told of a checkpoint that could not be written in the background. */
  readonly onFault?: (error: unknown) => void
}

const day = 86_400_000

/** Identities are sealed under one key a month; it is destroyed when the month's last record is past retention. */
export function retentionKey(at: number, retentionDays: number): { readonly id: string; readonly expiresAt: number } {
  const date = new Date(at)
  const next = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
  return { id: `audit:${date.toISOString().slice(0, 7)}`, expiresAt: next + retentionDays * day }
}

export const identityContext = 'audit.identity'

export function createRecorder(deps: Dependencies): Recorder {
  const { storage, sealer, signer, node, now = Date.now } = deps
  const keys = new Map<string, Promise<string>>()
  let head: Promise<Head> | undefined
  let signed = 0
  let checkpointing: Promise<void> = Promise.resolve()

  const loadHead = async (): Promise<Head> => (await storage.audit.last(node)) ?? genesis(node)

  const loadKey = (at: number): Promise<string> => {
    const { id, expiresAt } = retentionKey(at, deps.retentionDays)
    let key = keys.get(id)
    if (!key) {
      key = (async () => {
        const known = await storage.dataKeys.get(id)
        return (known ?? (await storage.dataKeys.add({ id, wrapped: await sealer.newDataKey(id), expiresAt }))).wrapped
      })()
      key.catch(() => keys.delete(id))
      keys.set(id, key)
    }
    return key
  }

  const bodyOf = async (event: AuditEvent, at: number): Promise<string> => {
    const { person, address, reference: _, ...facts } = event
    if (person === undefined && address === undefined) return JSON.stringify(facts)
    const { id } = retentionKey(at, deps.retentionDays)
    const who = await sealer.seal(await loadKey(at), id, JSON.stringify({ person, address }), identityContext)
    return JSON.stringify({ ...facts, who, key: id })
  }

  /** Chaining is in order of arrival; a failed append makes the next record read the head anew. */
  const append = async (body: string, at: number, reference: string | undefined): Promise<number> => {
    const previous = head ?? loadHead()
    const row = previous.then((at_) => link(at_, { at, body, ...(reference === undefined ? {} : { reference }) }))
    head = row
    try {
      await storage.audit.append([await row])
      return (await row).seq
    } catch (cause) {
      head = undefined
      throw new AppError('audit_broken', { cause })
    }
  }

  const sign = async (): Promise<void> => {
    const last = await storage.audit.last(node)
    if (!last || last.seq <= signed) return
    const at = now()
    const payload = JSON.stringify({ origin, node, seq: last.seq, hash: last.hash, at })
    const header = { alg: signer.alg, kid: signer.kid, typ: 'audit-checkpoint+jwt' }
    const input = [header, payload].map((part) =>
      Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'),
    )
    const signature = await signer.sign(Buffer.from(input.join('.')))
    const jws = [...input, Buffer.from(signature).toString('base64url')].join('.')
    const row: CheckpointRow = { node, seq: last.seq, at, jws }
    await storage.audit.putCheckpoint(row)
    signed = last.seq
  }

  const checkpoint = (): Promise<void> => {
    checkpointing = checkpointing.catch(() => undefined).then(sign)
    return checkpointing
  }

  const inBackground = () => void checkpoint().catch((error: unknown) => deps.onFault?.(error))
  const timer = setInterval(inBackground, deps.checkpointSeconds * 1000)
  timer.unref()

  return {
    async record(event) {
      const at = now()
      const seq = await append(await bodyOf(event, at), at, event.reference)
      if (seq - signed >= deps.checkpointRecords) inBackground()
    },
    checkpoint,
    async close() {
      clearInterval(timer)
      await checkpoint()
    },
  }
}
