/**
 * What every `Verifier` must do, run by each implementation: the right answer to its own challenge in time and nothing
 * else is evidence, wrong ones are answers, and only a broken back end throws.
 */
import assert from 'node:assert/strict'
import { isAppError } from '#src/errors.ts'
import type { Json } from '#src/storage/storage.ts'
import type { Begun, Claim, Evidence, Verifier } from '#src/verifiers/verifier.ts'

export interface VerifierUnderTest {
  readonly verifier: Verifier
  /** What a page gives to begin. */
  readonly input: unknown
  /** Whom the right answer proves. */
  readonly subject: Evidence['subject']
  /**
   * The right answer to the newest challenge, and what nobody but its receiver may see: a text, or the fields of a form
   * or of an address the citizen came back to.
   */
  right(): Answer
  readonly wrong: readonly unknown[]
  /**
   * Of one that asks its back end and heeds nothing that the citizen brings: each of these makes the back end say
   * something else than yes to the challenge that was begun.
   */
  readonly denials?: readonly (() => void)[]
  /** What the right answer is evidence of, where a verifier tells ways apart: some of its own values. */
  readonly amr?: readonly string[]
  /**
   * From now on the back end fails in this way; `late`: it answers or fails only after the deadline. Absent where there
   * is none: nobody but the citizen's device is asked.
   */
  fail?(how: 'throws' | 'hangs' | 'late'): void
  /** Where its back end is asked; where a challenge begins unless said otherwise. */
  readonly asksAt?: readonly ('begin' | 'finish')[]
}

type Answer = string | Readonly<Record<string, string>>

const claim = (over: Partial<Claim> = {}): Claim => ({
  returnTo: { url: 'https://id.example.gov.cn/return/verifier', state: 'state-1' },
  attempt: 'attempt-1',
  channel: 'web',
  locale: 'zh',
  largeType: false,
  purpose: '社保查询',
  now: 1_800_000_000_000,
  ...over,
})

const textsOf = (answer: Answer): readonly string[] => (typeof answer === 'string' ? [answer] : Object.values(answer))

/** The answer with one of its texts longer, shorter, or missing. */
function* altered(answer: Answer): Generator<unknown> {
  if (typeof answer === 'string') return yield* [`${answer}0`, answer.slice(1)]
  for (const [field, text] of Object.entries(answer)) {
    for (const other of [`${text}0`, text.slice(1), '', 7, null, [text]]) yield { ...answer, [field]: other }
    const { [field]: _, ...without } = answer
    yield without
  }
}

/** Each way to change one member of what was kept. */
function* tampered(keep: Begun['keep']): Generator<readonly [string, unknown]> {
  for (const [key, value] of Object.entries(keep)) {
    const others: readonly Json[] =
      typeof value === 'number' ? [value + 3_600_000, String(value), null] : [`${String(value)}x`, '', 7, null, [value]]
    for (const other of others) yield [`${key} = ${JSON.stringify(other)}`, { ...keep, [key]: other }]
    const { [key]: _, ...without } = keep
    yield [`without ${key}`, without]
  }
  for (const nothing of [undefined, null, 0, '', 'keep', [], {}])
    yield [JSON.stringify(nothing) ?? 'undefined', nothing]
}

/** @param make a fresh verifier whose back end is given up on after `timeoutMs` */
export function verifierContract(name: string, make: (timeoutMs: number) => VerifierUnderTest): void {
  describe(`Verifier: ${name}`, () => {
    const begin = async (over: Partial<Claim> = {}) => {
      const tested = make(1_000)
      const begun = await tested.verifier.begin(claim(over), tested.input)
      return { ...tested, begun, finish: tested.verifier.finish.bind(tested.verifier) }
    }

    it('says what it is', () => {
      const { verifier } = make(1_000)
      assert.match(verifier.name, /^[a-z][a-z-]*$/)
      assert.ok(verifier.amr.length > 0)
      assert.ok([1, 2, 3, 4].includes(verifier.cap))
      assert.ok(verifier.tries >= 1)
    })

    it('shows the page nothing secret, and keeps it no more openly', async () => {
      const { begun, right, subject } = await begin()
      const shown = JSON.stringify(begun.show)
      for (const secret of [...textsOf(right()), ...Object.values(subject), ...Object.values(begun.keep).map(String)]) {
        assert.ok(!shown.includes(String(secret)))
      }
      const given = textsOf(right())
      assert.ok(!Object.values(begun.keep).some((value) => given.includes(String(value))))
      assert.ok(begun.expiresAt > claim().now)
    })

    it('keeps only what survives being stored as JSON', async () => {
      const { begun, finish, right } = await begin()
      assert.deepEqual(JSON.parse(JSON.stringify(begun.keep)), begun.keep)
      assert.equal((await finish(claim(), JSON.parse(JSON.stringify(begun.keep)), right())).ok, true)
    })

    it('takes the right answer for evidence of verifier, method, level, time, reference and subject, nothing more', async () => {
      const { begun, finish, right, verifier, subject, amr = verifier.amr } = await begin()
      const at = claim().now + 1_000
      const outcome = await finish(claim({ now: at }), begun.keep, right())
      assert.ok(outcome.ok)
      const { level, reference, ...rest } = outcome.evidence
      assert.deepEqual(rest, { verifier: verifier.name, amr, at, subject })
      assert.ok(amr.every((one) => verifier.amr.includes(one)))
      assert.ok(level <= verifier.cap)
      assert.ok(reference !== undefined && reference !== '')
      for (const text of textsOf(right())) assert.ok(!JSON.stringify(outcome).includes(text))
    })

    it('refuses wrong answers, whatever they are, without throwing', async () => {
      const { begun, finish, wrong, right, denials } = await begin()
      if (denials) return
      for (const answer of [...wrong, ...altered(right()), '', ' ', undefined, null, 7, {}, [right()]]) {
        assert.equal((await finish(claim(), begun.keep, answer)).ok, false, String(answer))
      }
    })

    it('takes nothing but an explicit yes of the back end, where it heeds nothing else', async () => {
      const { begun, finish, wrong, denials } = await begin()
      if (!denials) return
      for (const answer of [...wrong, {}, { passed: 'true', state: 'x' }, undefined, null, 7, ''])
        assert.equal((await finish(claim(), begun.keep, answer)).ok, true, String(answer))
      for (const n of denials.keys()) {
        const again = await begin()
        again.denials?.[n]?.()
        assert.equal((await again.finish(claim(), again.begun.keep, again.right())).ok, false, `denial ${n}`)
      }
    })

    it('takes no answer at or after the end, and the right one until then', async () => {
      const { begun, finish, right } = await begin()
      const late = await finish(claim({ now: begun.expiresAt }), begun.keep, right())
      assert.deepEqual(late, { ok: false, reason: 'expired' })
      assert.equal((await finish(claim({ now: begun.expiresAt - 1 }), begun.keep, right())).ok, true)
    })

    it('refuses an answer that belongs to another attempt or another challenge', async () => {
      const { verifier, input, begun, finish, right } = await begin()
      const answer = right()
      assert.deepEqual(await finish(claim({ attempt: 'attempt-2' }), begun.keep, answer), {
        ok: false,
        reason: 'foreign',
      })
      const other = await verifier.begin(claim(), input)
      if (JSON.stringify(right()) === JSON.stringify(answer)) return
      assert.equal((await finish(claim(), other.keep, answer)).ok, false)
      assert.equal((await finish(claim(), begun.keep, right())).ok, false)
    })

    it('refuses the right answer where anything that was kept has changed, without throwing', async () => {
      const { begun, finish, right } = await begin()
      for (const [change, keep] of tampered(begun.keep)) {
        assert.equal((await finish(claim(), keep, right())).ok, false, change)
      }
      assert.equal((await finish(claim(), begun.keep, right())).ok, true)
    })

    for (const how of ['throws', 'hangs', 'late'] as const) {
      it(`is unavailable in time when its back end ${how === 'late' ? 'is late' : how}`, async () => {
        const { asksAt = ['begin'] } = make(50)
        for (const at of asksAt) {
          const { verifier, input, fail, right } = make(50)
          if (!fail) return assert.equal(verifier.by, 'device', 'only a device needs no back end')
          if (at === 'begin') fail(how)
          const begun = at === 'begin' ? undefined : await verifier.begin(claim(), input)
          const answer = begun && right()
          fail(how)
          const started = performance.now()
          const work = begun ? verifier.finish(claim(), begun.keep, answer) : verifier.begin(claim(), input)
          await assert.rejects(work, (error) => isAppError(error, 'verifier_unavailable'))
          assert.ok(performance.now() - started < 1_000)
          // What comes after the deadline changes nothing and breaks nothing.
          await new Promise((done) => setTimeout(done, how === 'late' ? 150 : 0))
        }
      })
    }
  })
}
