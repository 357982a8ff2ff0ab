/**
 * Finds secrets in bytes, however they are spelled: UTF-8, UTF-16, hex, base64 at each alignment, percent and JSON
 * escapes. One pass over the bytes, whatever the number of secrets.
 */
import { strict as assert } from 'node:assert'

export interface Secret {
  readonly label: string
  readonly text: string
}

export interface Leak {
  readonly secret: Secret
  readonly spelling: string
  readonly at: number
}

interface Pattern {
  readonly secret: Secret
  readonly spelling: string
  readonly bytes: Buffer
}

/** The characters of base64 that depend on these bytes alone, at each of the three alignments. */
function* base64(bytes: Buffer): Iterable<string> {
  for (const shift of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '')
    const first = Math.ceil((shift * 8) / 6)
    const last = Math.floor(((shift + bytes.length) * 8) / 6)
    yield text.slice(first, last)
  }
}

function* spellingsOf({ text }: Secret): Iterable<readonly [string, Buffer]> {
  const utf8 = Buffer.from(text)
  const little = Buffer.from(text, 'utf16le')
  yield ['UTF-8', utf8]
  yield ['UTF-16LE', little]
  yield ['UTF-16BE', Buffer.from(little).swap16()]
  for (const bytes of [utf8, little]) {
    const hex = bytes.toString('hex')
    yield ['hex', Buffer.from(hex)]
    yield ['HEX', Buffer.from(hex.toUpperCase())]
    for (const encoded of base64(bytes)) {
      yield ['base64', Buffer.from(encoded)]
      yield ['base64url', Buffer.from(encoded.replaceAll('+', '-').replaceAll('/', '_'))]
    }
  }
  yield ['percent', Buffer.from(encodeURIComponent(text))]
  yield ['percent, small', Buffer.from(encodeURIComponent(text).toLowerCase())]
  const escaped = text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  yield ['JSON', Buffer.from(escaped)]
}

/** Shorter than this and chance finds it: spellings below are left out, secrets below are refused. */
const shortest = 6
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

export function leakDetector(secrets: readonly Secret[]): (haystack: Buffer | string) => readonly Leak[] {
  const byStart = new Map<number, Pattern[]>()
  for (const secret of secrets) {
    assert.ok(Buffer.byteLength(secret.text) >= shortest, `${secret.label} is too short to look for`)
    const seen = new Set<string>()
    for (const [spelling, bytes] of spellingsOf(secret)) {
      if (bytes.length < shortest || seen.has(bytes.toString('latin1'))) continue
      seen.add(bytes.toString('latin1'))
      const start = bytes.readUInt32LE(0)
      byStart.set(start, [...(byStart.get(start) ?? []), { secret, spelling, bytes }])
    }
  }

  return (given) => {
    const haystack = typeof given === 'string' ? Buffer.from(given) : given
    const leaks: Leak[] = []
    for (let at = 0; at + 4 <= haystack.length; at++) {
      for (const { secret, spelling, bytes } of byStart.get(haystack.readUInt32LE(at)) ?? []) {
        const end = at + bytes.length
        if (!haystack.subarray(at, end).equals(bytes)) continue
        // Six digits inside a longer number are a time or a count.
        const number = /^\d+$/.test(bytes.toString('latin1'))
        if (number && (isDigit(haystack[at - 1]) || isDigit(haystack[end]))) continue
        leaks.push({ secret, spelling, at })
      }
    }
    return leaks
  }
}

/** @throws AssertionError naming what leaked and how it was spelled */
export function assertNoLeak(find: ReturnType<typeof leakDetector>, place: string, haystack: Buffer | string): void {
  const leaks = find(haystack).map(({ secret, spelling, at }) => {
    const around = Buffer.from(haystack).subarray(Math.max(0, at - 60), at + 20)
    return `${secret.label} (${spelling}) after …${JSON.stringify(around.toString('latin1'))}`
  })
  assert.deepEqual(leaks, [], `${place} holds a secret`)
}
