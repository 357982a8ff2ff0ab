/**
 * What the key daemon does for a question: the key of that name does its work, and of what went wrong no more leaves
 * than one word. A key that hangs, as hardware can, costs the asker his deadline and keeps its place under way until it
 * has come back, so that the next askers learn at once that there is too much to do.
 */
import type { KeyRing, Keys } from '#src/crypto/keys.ts'
import { codeKids } from '#src/crypto/daemon/description.ts'
import { toBytes, toText, type Answer, type Question, type Result } from '#src/crypto/daemon/wire.ts'
import { AppError, isAppError } from '#src/errors.ts'

export interface DeskOptions {
  readonly ring: KeyRing
  /** How long a key may take. */
  readonly deadlineMs: number
  /** Questions of one server under way at once. */
  readonly outstanding: number
  /** Never quotes a question or a key. */
  readonly onFault: (error: unknown) => void
}

/** The desk of one server; it always answers, and within the deadline. */
export interface Desk {
  answer(question: Question): Promise<Answer>
}

const unknown = (what: string) => new AppError('key_unavailable', { detail: `no ${what} of that name` })

function named<Found>(found: Found | undefined, what: string): Found {
  if (found === undefined) throw unknown(what)
  return found
}

/** Keys of any state: what a server asks for was in force a moment ago. */
const signerOf = ({ signers, audit }: Keys, kid: string) =>
  named(
    [...signers.map(({ key }) => key), audit].find((signer) => signer.kid === kid),
    'signer',
  )

const decrypterOf = ({ decrypters }: Keys, kid: string) =>
  named(decrypters.find(({ key }) => key.kid === kid)?.key, 'decrypter')

function macOf(keys: Keys, name: Extract<Question, { op: 'mac' }>['name']) {
  if (name === 'pairwise' || name === 'rows' || name === 'limits') return keys[name]
  if (name.startsWith('codes-'))
    return named(keys.codes[codeKids(keys.described).findIndex((kid) => kid === name)], 'key for codes')
  return named(keys.index.find(({ version }) => name === `index.${version}`)?.mac, 'index key')
}

async function perform(keys: Keys, question: Question): Promise<Result> {
  switch (question.op) {
    case 'sign':
      return toText(await signerOf(keys, question.kid).sign(toBytes(question.data)))
    case 'decrypt':
      return toText(await decrypterOf(keys, question.kid).decrypt(toBytes(question.data)))
    case 'mac':
      return toText(await macOf(keys, question.name)(question.text))
    case 'wrap':
      return keys.wrapper.wrap(toBytes(question.data), question.context)
    case 'unwrap':
      return toText(await keys.wrapper.unwrap(question.wrapped, question.context))
    case 'isCurrent':
      return keys.wrapper.isCurrent(question.wrapped)
    case 'health':
      return true
  }
}

export function createDesk({ ring, deadlineMs, outstanding, onFault }: DeskOptions): Desk {
  let underWay = 0

  const refuse = (error: unknown): Answer => {
    if (isAppError(error, 'sealed_value_invalid')) return { error: 'invalid' }
    onFault(error)
    return { error: isAppError(error, 'key_unavailable') ? 'unknown' : 'failed' }
  }

  const inTime = (work: Promise<Answer>): Promise<Answer> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ error: 'late' }), deadlineMs)
      void work.then((answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
    })

  return {
    async answer(question) {
      if (underWay >= outstanding) return { error: 'busy' }
      const work = perform(ring.current(), question).then((result): Answer => ({ result }), refuse)
      underWay += 1
      void work.then(() => (underWay -= 1))
      return inTime(work)
    },
  }
}
