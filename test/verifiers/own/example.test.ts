/** The example service does what it promises whoever copies it: nothing unsigned, stale or repeated, and no guessing. */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { sm3 } from 'jose'
import { answerSignature, requestSignature } from '#src/peers/signed-http.ts'
import { readSharedKey } from '#src/peers/shared-key.ts'
import { createOwnVerifier } from '#src/verifiers/own/index.ts'
import {
  cardHolder,
  exampleDirectory,
  rightCard,
  startExample,
  type ExampleService,
} from '../../support/own-service.ts'
import { claimAt, declaration, macs } from '../../support/own-verifiers.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

describe('the example service in Python', () => {
  const directory = temporaryDirectories()
  let service: ExampleService
  before(async () => {
    service = await startExample(directory())
  })
  after(() => service.close())

  const question = { challenge: '7f6b7a52-93d3-4e0c-8b59-0f6c1a3c7b11', verifier: 'staff-card', now: Date.now() }
  interface Sent {
    readonly key?: Buffer
    readonly path?: string
    readonly time?: number
    readonly nonce?: string
    readonly body?: string
  }
  const send = async ({ key, path = '/begin', time = Date.now(), nonce, body = JSON.stringify(question) }: Sent) => {
    const own = nonce ?? randomBytes(16).toString('base64url')
    const stamp = String(Math.floor(time / 1000))
    const shared = readSharedKey(service.keyFile)
    const headers = {
      'x-yihao-time': stamp,
      'x-yihao-nonce': own,
      'x-yihao-signature': requestSignature(key ?? shared, path, stamp, own, body),
    }
    const answer = await fetch(`${service.url}${path}`, { method: 'POST', headers, body })
    const text = await answer.text()
    assert.equal(answer.headers.get('x-yihao-signature'), answerSignature(shared, answer.status, own, text))
    return { status: answer.status, text }
  }

  it('answers what is signed, new and of now, and nothing else', async () => {
    assert.equal((await send({})).status, 200)
    assert.equal((await send({ key: randomBytes(32) })).status, 401)
    assert.equal((await send({ time: Date.now() - 61_000 })).status, 401)
    assert.equal((await send({ time: Date.now() + 62_000 })).status, 401)
    const nonce = randomBytes(16).toString('base64url')
    assert.deepEqual([(await send({ nonce })).status, (await send({ nonce })).status], [200, 401])
    assert.equal((await send({ path: '/other' })).status, 404)
    assert.equal((await send({ body: 'x'.repeat(70_000) }).catch(() => ({ status: 413 }))).status, 413)
    for (const body of ['', '{', '[]', 'null', '{}', JSON.stringify({ ...question, answer: 'x' })])
      assert.deepEqual(await send({ path: '/finish', body }), { status: 500, text: '{}' })
  })

  it('lets nobody guess the PIN of a card, by whatever challenges', async () => {
    const settings = declaration({ kind: 'http', url: service.url, keyFile: service.keyFile, timeout: 2 })
    const verifier = createOwnVerifier('staff-card', settings, { macs, modules: new Map() })
    const answered = async (answer: object) => {
      const { keep } = await verifier.begin(claimAt(Date.now()), undefined)
      return verifier.finish(claimAt(Date.now()), keep, answer)
    }
    const right = await answered(rightCard)
    assert.deepEqual(right.ok && right.evidence.subject, cardHolder)
    const wrong = { ok: false, reason: 'mismatch', detail: 'card-or-pin' }
    for (let times = 0; times < 5; times += 1)
      assert.deepEqual(await answered({ ...rightCard, pin: `00000${times}` }), wrong)
    assert.deepEqual(await answered(rightCard), { ok: false, reason: 'rejected', detail: 'too-many-failures' })
    assert.deepEqual(await answered({ card: '69000003', pin: '000000' }), wrong)
  })

  it('knows synthetic people alone', () => {
    const known = new Set(
      (JSON.parse(readFileSync('config/demo/population.json', 'utf8')) as { people: { number: string }[] }).people.map(
        ({ number }) => number,
      ),
    )
    const people = JSON.parse(readFileSync(`${exampleDirectory}/people.json`, 'utf8')) as { number: string }[]
    for (const { number } of people) assert.ok(known.has(number))
  })

  it('computes SM3 by itself where Python has none', () => {
    // GB/T 32905-2016, A.1 and A.2; then each length around a block, against our own.
    const script = `import sm3; [print(sm3.Sm3(b'a' * n).hexdigest()) for n in range(130)]
print(sm3.Sm3(b'abc').hexdigest()); print(sm3.Sm3(b'abcd' * 16).hexdigest())`
    const printed = execFileSync('python3', ['-B', '-c', script], { cwd: exampleDirectory, encoding: 'utf8' })
    const lines = printed.trim().split('\n')
    assert.deepEqual(lines.splice(130), [
      '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0',
      'debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732',
    ])
    assert.deepEqual(
      lines,
      lines.map((_, length) => sm3('a'.repeat(length)).toString('hex')),
    )
  })
})
