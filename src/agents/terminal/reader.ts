/**
 * A card reader as the agent uses it: looked after all the time, so that the pages can say whether it is there and
 * whether a card lies on it; read only where somebody waits for a card, and each card once until it is lifted. The photo
 * is wiped as soon as it has come, unless whoever waits asked for it; the fingerprints are never asked for.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { openExchange, type Exchange } from './exchange.ts'
import { commands, photoOf, samNumber, textOf } from './frames.ts'
import type { OpenLink } from './link.ts'

export interface CardRead {
  /** The 256 bytes of GA/T 490; the caller's, to wipe. */
  readonly text: Buffer
  readonly sam: string
  /** The 1,024 bytes of the photo, only for who asked for them; the caller's, to wipe. */
  readonly photo?: Buffer
}

export interface Wanted {
  readonly photo?: boolean
}

export type ReadFault = 'no-card' | 'no-reader' | 'busy' | 'card-fault'

export interface ReaderState {
  readonly reader: 'ready' | 'absent'
  readonly card: boolean
}

export interface CardReader {
  state(): ReaderState
  /** Waits for a card that was not read before; one caller at a time. */
  read(waitMs: number, signal?: AbortSignal, wanted?: Wanted): Promise<CardRead | ReadFault>
  close(): Promise<void>
}

export interface ReaderOptions {
  readonly open: OpenLink
  /** Between two looks for a card: at least 300 ms, says the standard. */
  readonly pollMs?: number
  /** Until a reader that is gone is looked for again. */
  readonly reopenMs?: number
  /** How long the reader may take for an answer, and for a card's data. */
  readonly answerMs?: number
  readonly readMs?: number
  /** Called when the reader comes and goes. */
  readonly onReader?: (state: ReaderState['reader']) => void
}

/** How often a card that lies badly is tried before the citizen is asked to lay it down again. */
const tries = 3

interface Waiting {
  readonly wanted: Wanted
  done(outcome: CardRead | ReadFault): void
}

export function createCardReader(options: ReaderOptions): CardReader {
  const { open, pollMs = 300, reopenMs = 1_000, answerMs = 1_500, readMs = 4_000, onReader } = options
  const ended = new AbortController()
  let exchange: Exchange | undefined
  let sam: string | undefined
  let card = false
  /** The card that lies there was read, or could not be: it must be lifted first. */
  let spent = false
  let waiting: Waiting | undefined

  const rest = (ms: number) => pause(ms, undefined, { signal: ended.signal }).catch(() => undefined)

  async function connect(): Promise<void> {
    exchange = await openExchange(open, () => {
      exchange = undefined
      if (sam !== undefined) onReader?.('absent')
      sam = undefined
      // Whoever took the reader away may have changed the card; whoever waits for it learns so at once.
      card = spent = false
      waiting?.done('no-reader')
    })
    const answer = await exchange.ask(commands.sam, answerMs)
    if (typeof answer === 'number') return exchange?.close()
    sam = samNumber(answer)
    onReader?.('ready')
  }

  /** A card that was read no longer answers when it is looked for: only its number tells that it still lies there. */
  async function look(line: Exchange): Promise<void> {
    const found = await line.ask(commands.find, answerMs)
    const number = typeof found === 'number' && card ? await line.ask(commands.presence, answerMs) : found
    card = typeof number !== 'number'
    if (typeof number !== 'number') number.fill(0)
    if (!card) spent = false
  }

  async function readCard(line: Exchange, wanted: Wanted): Promise<CardRead | 'card-fault'> {
    for (let tried = 0; tried < tries; tried += 1) {
      if (tried > 0) await rest(pollMs)
      const found = tried === 0 ? undefined : await line.ask(commands.find, answerMs)
      if (typeof found === 'number') continue
      if (typeof (await line.ask(commands.select, answerMs)) === 'number') continue
      const data = await line.ask(commands.read, readMs)
      if (typeof data === 'number') continue
      const text = textOf(data)
      const photo = wanted.photo ? photoOf(data) : undefined
      // The photo with it.
      data.fill(0)
      if (text && sam !== undefined) return { text, sam, ...(photo ? { photo } : {}) }
      wipe({ text, photo })
    }
    return 'card-fault'
  }

  async function serve(line: Exchange): Promise<void> {
    await look(line)
    const asker = waiting
    if (!card || spent || !asker) return
    spent = true
    const outcome = await readCard(line, asker.wanted)
    if (waiting === asker) asker.done(outcome)
    else if (typeof outcome !== 'string') wipe(outcome)
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      try {
        if (exchange === undefined) await connect()
        if (exchange !== undefined) await serve(exchange)
      } catch {
        // A line that is lost has said so to all whom it concerns; it is opened anew.
        exchange?.close()
        exchange = undefined
      }
      await rest(exchange === undefined ? reopenMs : pollMs)
    }
  }
  const running = run()

  return {
    state: () => ({ reader: sam === undefined ? 'absent' : 'ready', card }),

    read(waitMs, signal, wanted = {}) {
      if (waiting) return Promise.resolve('busy')
      if (sam === undefined) return Promise.resolve('no-reader')
      return new Promise((resolve) => {
        const done = (outcome: CardRead | ReadFault) => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', giveUp)
          waiting = undefined
          resolve(outcome)
        }
        const giveUp = () => done('no-card')
        const timer = setTimeout(giveUp, waitMs)
        signal?.addEventListener('abort', giveUp)
        waiting = { wanted, done }
        if (signal?.aborted) giveUp()
      })
    },

    async close() {
      ended.abort()
      exchange?.close()
      await running
      waiting?.done('no-reader')
    },
  }
}

function wipe({ text, photo }: { readonly text?: Buffer; readonly photo?: Buffer }): void {
  text?.fill(0)
  photo?.fill(0)
}
