/**
 * The ledger of endings, `<store>.ledger`: what was erased, suspended, ended or withdrawn, one JSON line each, forced to
 * the disk before the act is acknowledged. It stands outside the database, so that a restored backup, which knows
 * nothing of them, can be told again (PIPL 47, DESIGN D6). It names nobody: random ids, which no change of keys moves.
 *
 * Each line's SM3 covers the line before it. The database keeps the mark (number and hash) of the last act it has
 * carried out, in the transaction of the act; so any copy of the database knows which acts it has not seen.
 */
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { sm3 } from 'jose'
import { unavailable } from './fault.ts'
import { createPrivately, syncDirectory } from './private-file.ts'

export type ActKind =
  | 'person.erased'
  | 'person.suspended'
  | 'person.reinstated'
  | 'phone.ended'
  | 'document.replaced'
  | 'document.void'
  | 'notice.withdrawn'
  | 'passkey.removed'
  | 'link.removed'

export interface Act {
  readonly kind: ActKind
  /** Id of the person, or the place of the notice or passkey. */
  readonly subject: string
  /** Id of the person's phone or document that ended. */
  readonly part?: string
}

/** How far an account of the acts reaches: the number and hash of the last. */
export interface Mark {
  readonly seq: number
  readonly hash: string
}

type Entry = Act & Mark & { readonly at: number }
/** The first line, and the first after lines were lost: from here on the ledger is whole. */
type Begun = Mark & { readonly at: number; readonly kind: 'begun' }

export interface Ledger {
  /** Acts that the database has not carried out, oldest first: it was restored, or died between ledger and commit. */
  readonly missed: readonly (Act & Mark)[]
  /** Makes the acts durable and gives the mark after them. @throws AppError `storage_unavailable`; none stands then */
  enter(acts: readonly Act[]): Mark
  close(): void
}

export const ledgerOf = (store: string): string => `${store}.ledger`

function chained(previous: Mark, act: Act, at: number): Entry {
  const seq = previous.seq + 1
  const text = JSON.stringify([previous.hash, seq, at, act.kind, act.subject, act.part ?? null])
  return { seq, at, ...act, hash: sm3(Buffer.from(text)).toString('hex') }
}

function parsed(line: string, path: string): Entry | Begun {
  try {
    const entry = JSON.parse(line) as Entry | Begun
    if (Number.isSafeInteger(entry.seq) && typeof entry.hash === 'string') return entry
  } catch {
    // Said below, without the line.
  }
  throw unavailable(`the ledger ${path} is damaged: a line is no entry; bring back a copy of it`)
}

const firstSpan = 65_536

/** The lines at the end, at least back to entry `seq`, and where the last complete one ends: what follows is torn. */
function readBackTo(file: number, seq: number, path: string): { lines: readonly (Entry | Begun)[]; end: number } {
  const { size } = fstatSync(file)
  for (let span = firstSpan; ; span *= 4) {
    const start = Math.max(0, size - span)
    const bytes = Buffer.alloc(size - start)
    readSync(file, bytes, 0, bytes.length, start)
    const from = start === 0 ? 0 : bytes.indexOf('\n') + 1
    const end = bytes.lastIndexOf('\n') + 1
    const lines = bytes.subarray(from, Math.max(from, end)).toString('utf8').split('\n').slice(0, -1)
    const first = lines[0]
    if (start === 0 || (first !== undefined && parsed(first, path).seq <= seq))
      return { lines: lines.map((line) => parsed(line, path)), end: start + end }
  }
}

/** The entries after a mark, each following the one before it. */
function after(mark: Mark, lines: readonly (Entry | Begun)[], path: string): readonly Entry[] {
  const known = lines.findLastIndex(({ seq }) => seq === mark.seq)
  if (known < 0)
    throw unavailable(`the ledger ${path} does not reach back to entry ${mark.seq}; bring back an older copy`)
  if (lines[known]?.hash !== mark.hash) throw unavailable(`the ledger ${path} belongs to another store`)
  let previous = mark
  return lines.slice(known + 1).map((entry) => {
    if (entry.kind === 'begun') throw unavailable(`the ledger ${path} lost the entries after ${previous.seq}`)
    if (entry.hash !== chained(previous, entry, entry.at).hash || entry.seq !== previous.seq + 1)
      throw unavailable(`the ledger ${path} is damaged: entry ${previous.seq + 1} is missing or was changed`)
    previous = entry
    return entry
  })
}

/** @throws AppError `storage_unavailable` where the ledger is not there, damaged, another store's or does not reach */
export function readLedger(path: string, mark: Mark): readonly (Act & Mark)[] {
  if (!existsSync(path))
    throw unavailable(`there is no ledger ${path}; name a copy with --ledger FILE, or restore --without-ledger`)
  const file = openSync(path, 'r')
  try {
    return after(mark, readBackTo(file, mark.seq, path).lines, path)
  } finally {
    closeSync(file)
  }
}

/**
 * Opens the ledger beside a store for writing. One that is gone, or ends before the store's mark, begins anew there.
 * @param mark how far the store itself reaches
 * @throws AppError `storage_unavailable` where it is damaged or another store's
 */
export function openLedger(path: string, mark: Mark, clock: () => number): Ledger {
  createPrivately(path)
  const file = openSync(path, 'r+')
  try {
    const { lines, end } = readBackTo(file, mark.seq, path)
    let size = end
    const append = (entries: readonly (Entry | Begun)[]): void => {
      const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      try {
        // Whatever a crash or a full disk left behind the last whole line was never acknowledged.
        ftruncateSync(file, size)
        for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, size + done)
        fsyncSync(file)
      } catch (error) {
        throw unavailable(`the ledger ${path} cannot be written`, error)
      }
      size += bytes.length
    }

    const last = lines.at(-1)
    let head: Mark = last ?? mark
    if (last === undefined || last.seq < mark.seq) {
      append([{ seq: mark.seq, at: clock(), kind: 'begun', hash: mark.hash }])
      syncDirectory(dirname(path))
      head = mark
    }
    return {
      missed: head.seq === mark.seq && head.hash === mark.hash ? [] : after(mark, lines, path),
      enter(acts) {
        let next = head
        append(acts.map((act) => (next = chained(next, act, clock()) as Entry) as Entry))
        return (head = { seq: next.seq, hash: next.hash })
      },
      close: () => closeSync(file),
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}
