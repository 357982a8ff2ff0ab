/**
 * A card and a face at a terminal through the whole server: nothing begins without consent, a match reaches level 2 and
 * never 3, and the trail says what was wrong without anything personal.
 */
import { strict as assert } from 'node:assert'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, sm3 } from 'jose'
import { createHighClient } from '#src/demo/high-client.ts'
import { createSmHighClient } from '#src/demo/sm-high-client.ts'
import { isAppError } from '#src/errors.ts'
import { encodeCardText } from '#src/identity/card-text.ts'
import { highApplication, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { readingOf, yan, type Device } from '../support/card-terminal.ts'
import { attemptOf, personOf, stepOf } from '../support/citizen.ts'
import { deviceCertificates } from '../support/device-certificates.ts'
import { faceModel, faceOf, type AskedFace } from '../support/face-reading.ts'
import { smOnly } from '../support/policy.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

const receiver = { zh: '示例市政务大厅', en: 'Example City hall' }
const session = { absolute: 900, idle: 120 }
const version = '3'

describe('signing in by a card and a face', () => {
  const directory = mkdtempSync(join(tmpdir(), 'yihao-card-face-'))
  const issue = deviceCertificates(directory)
  const root = issue({ name: 'root', authority: true })
  const hall: Device = { id: 'hall-1', sam: '05.01-20200101-0000000001', chain: [issue({ name: 'hall', by: root })] }
  const rows = join(directory, 'terminals')
  mkdirSync(rows)
  const row = {
    ...{ id: hall.id, sam: hall.sam, channel: 'kiosk', status: 'active', place: '政务大厅' },
    name: { zh: '自助终端', en: 'Kiosk' },
    certificate: `sm3:${sm3(hall.chain[0].der).toString('hex')}`,
  }
  writeFileSync(join(rows, `${hall.id}.json`), JSON.stringify(row))

  /** The settings of a city whose kiosk offers these. */
  const withKiosk =
    (verifiers: readonly string[], face: object | null = {}) =>
    (settings: Record<string, unknown>) => {
      const { channels, verifiers: all } = settings as {
        channels: Record<string, object>
        verifiers: { idCard: object }
      }
      channels['kiosk'] = { verifiers, top: 3, session, shared: true }
      const asked = face && { receiver, version, models: [faceModel], threshold: 0.45, ...face }
      Object.assign(all.idCard, { roots: root.file, terminals: rows, face: asked ?? undefined })
    }

  let server: TestServer
  let party: RelyingParty
  let high: Awaited<ReturnType<typeof highApplication>>

  before(async () => {
    const [first, second] = testApplications()
    high = await highApplication()
    server = await startServer({
      applications: [
        { ...first, channel: 'kiosk' } as never,
        second as never,
        { ...high.application, level: 3, channel: 'kiosk' } as never,
      ],
      settings: withKiosk(['id-card', 'card-face', 'sms', 'passkey']),
    })
    party = relyingParty(server.url, 'first')
  })
  after(async () => {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const arrive = async (method = 'card-face') => {
    const browser = openBrowser(server.url)
    const request = party.request()
    const attempt = attemptOf(await browser.get(request.path))
    const page = await browser.post(`${attempt}/method`, { method })
    return { browser, attempt, page, request }
  }
  type Options = { readonly challenge?: string; readonly show?: AskedFace; readonly code?: string }
  /** What the page's script is answered that asks for the terminal's question. */
  const options = async (browser: Browser, attempt: string, fields: Record<string, string>): Promise<Options> => {
    const init = { method: 'POST', headers: { origin: server.url }, body: new URLSearchParams(fields) }
    return (await (await browser.once(`${attempt}/prove/options`, init)).json()) as Options
  }
  const begin = async (browser: Browser, attempt: string) => {
    const { challenge = '', show } = await options(browser, attempt, { consent: version })
    assert.ok(show)
    return { challenge, show }
  }
  /** Through a whole try, with what the terminal says of the face. */
  const attempted = async (over: object = {}, card: object = yan) => {
    const { browser, attempt, request } = await arrive()
    const { challenge, show } = await begin(browser, attempt)
    const payload = { face: faceOf(show, over) }
    const text = encodeCardText({ ...yan, ...card })
    const answer = await readingOf(hall, show, server.clock.now(), { payload, text })
    const page = await browser.post(`${attempt}/prove`, { challenge, answer })
    return { browser, page, request, answer }
  }
  const through = async (browser: Browser, page: Page, request: ReturnType<RelyingParty['request']>) => {
    const last =
      page.location === undefined ? await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' }) : page
    assert.ok(last.location, `it ended at ${last.url}`)
    return decodeJwt((await party.tokens(last.location, request)).id_token)
  }
  const trail = async () => {
    const rows = await server.app.storage.audit.read('node-1', 0, 10_000)
    return rows.map(({ body }) => JSON.parse(body) as Record<string, unknown> & { facts?: Record<string, unknown> })
  }
  const count = async (type: string) => (await trail()).filter((one) => one['type'] === type).length
  const lastAnswer = async () => (await trail()).filter(({ type }) => type === 'challenge.answered').at(-1)

  it('asks for consent in the name of who runs the terminal, and says what is as good', async () => {
    const { page } = await arrive()
    assert.equal(stepOf(page), 'prove')
    for (const words of [
      ...['示例市政务大厅', '只在这台设备的内存里', '比对完立即删除', '怎样撤回', '不是非用不可'],
      '别的方式一样有效：刷身份证、短信验证码。',
    ])
      assert.ok(page.text.includes(words), words)
    assert.match(page.text, /class="even"[^>]*>同意，继续<[\s\S]*class="even"[^>]*>不同意，换一种方式</)
    assert.doesNotMatch(page.text, /会离开这台设备/)
  })

  it('may show the frame of the terminal’s agent on this page, and on no other', async () => {
    const { browser, attempt, page } = await arrive()
    const policyOf = ({ headers }: Page) => headers.get('content-security-policy') ?? ''
    assert.match(policyOf(page), /; frame-src http:\/\/127\.0\.0\.1:17080;/)
    assert.match(policyOf(page), /; frame-ancestors 'none';/)
    // Nothing of ours keeps a frame from elsewhere out.
    assert.equal(page.headers.get('cross-origin-embedder-policy'), null)
    assert.doesNotMatch(policyOf(await browser.get(`${attempt}/method`)), /frame-src/)
    assert.doesNotMatch(policyOf((await arrive('id-card')).page), /frame-src/)
    assert.match(page.text, /<iframe [^>]*title="[^"]+"[^>]* hidden sandbox="allow-same-origin"/)
  })

  it('begins nothing without consent to the very text that stands, and says so', async () => {
    const { browser, attempt } = await arrive()
    const before = await count('consent.given')
    for (const fields of [{}, { consent: '' }, { consent: '2' }, { consent: `${version} ` }] as Record<
      string,
      string
    >[]) {
      assert.deepEqual(await options(browser, attempt, fields), { code: 'consent_missing' })
      assert.match((await browser.get(`${attempt}/prove`)).text, /没有您的同意，不会开始/)
    }
    assert.equal(await count('consent.given'), before)
  })

  it('puts each consent on record, with what it is for and the version of its text', async () => {
    const { browser, attempt } = await arrive()
    const before = await count('consent.given')
    await begin(browser, attempt)
    await begin(browser, attempt)
    assert.equal(await count('consent.given'), before + 2)
    const given = (await trail()).filter(({ type }) => type === 'consent.given').at(-1)
    assert.deepEqual(given?.facts, { about: 'card-face', version })
  })

  it('puts on record no consent to what does not begin', async () => {
    const { browser, attempt } = await arrive()
    const before = await count('consent.given')
    let begun = 0
    for (let asked = 0; asked < 70; asked += 1)
      if ((await options(browser, attempt, { consent: version })).show) begun += 1
    assert.ok(begun < 70, 'an attempt begins so often and no more')
    assert.equal(await count('consent.given'), before + begun)
  })

  it('asks for none where no camera looks', async () => {
    const { browser, attempt } = await arrive('id-card')
    const before = await count('consent.given')
    const { show } = await options(browser, attempt, {})
    assert.ok(show?.nonce)
    assert.equal('actions' in show, false)
    assert.equal(await count('consent.given'), before)
  })

  it('signs in at level 2 whoever holds a card that is his, in a channel that reaches 3', async () => {
    const { browser, page, request } = await attempted()
    const { acr, amr } = await through(browser, page, request)
    assert.deepEqual([acr, amr], ['urn:yihao:loa:2', ['sc']])
    assert.match(String((await lastAnswer())?.facts?.['reference']), /^hall-1\/[\da-f-]{36}$/)
  })

  it('is not on offer where level 3 is asked, and cannot be chosen there', async () => {
    const create = smOnly ? createSmHighClient : createHighClient
    const { url } = await create({
      ...{ issuer: server.url, clientId: 'high', privateJwk: high.privateJwk, scope: 'openid profile' },
      ...{ redirectUri: 'http://localhost:4003/callback', postLogoutRedirectUri: 'http://localhost:4003/signed-out' },
      algorithm: 'ES256',
    } as Parameters<typeof createHighClient>[0]).start()
    const browser = openBrowser(server.url)
    const page = await browser.get(url)
    assert.doesNotMatch(page.text, /看一下摄像头/)
    const chosen = await browser.post(`${attemptOf(page)}/method`, { method: 'card-face' })
    assert.match(chosen.text, /这种方式现在不能用/)
    assert.notEqual(stepOf(chosen), 'prove')
  })

  const refusals: readonly (readonly [string, object, string, RegExp])[] = [
    ['somebody else', { outcome: 'mismatch' }, 'face-mismatch', /照片没有比对上[^]*换一种方式/],
    ['nobody', { outcome: 'no-face' }, 'face-none', /摄像头没有看到您的脸/],
    ['who did not move', { outcome: 'actions' }, 'face-actions-missed', /没有看清您的动作/],
    ['by a looser threshold', { threshold: 0.6 }, 'face-threshold', /这台设备现在不能比对照片/],
    ['by another model', { model: 'other-1' }, 'face-model', /这台设备现在不能比对照片/],
    ['other movements', { actions: [] }, 'face-actions', /没有核对上，或者您取消了/],
  ]
  for (const [what, over, why, sentence] of refusals)
    it(`refuses a camera that saw ${what}: the trail says ${why} and nothing personal`, async () => {
      const { page } = await attempted(over)
      assert.equal(stepOf(page), 'prove')
      assert.match(page.text, sentence)
      assert.doesNotMatch(page.text, /0\.\d|%|阈值|face-api/)
      const answered = await lastAnswer()
      assert.equal(answered?.facts?.['why'], why)
      const said = JSON.stringify(await trail()) + server.logged.join('\n')
      for (const secret of [yan.name, yan.number, faceModel, '"actions":']) assert.ok(!said.includes(secret), secret)
      // The way out stands beside it.
      assert.match(page.text, /同意，继续/)
    })

  it('lets nobody try faces with one card without end, and the right one is refused then, too', async () => {
    const { number, name } = await personOf('ayiguli')
    const birthDate = number.replace(/^.{6}(....)(..)(..).*/, '$1-$2-$3')
    const hers = { number, name, birthDate, sex: Number(number[16]) % 2 === 1 ? '1' : '2' }
    const why = async () => (await lastAnswer())?.facts?.['why'] ?? 'accepted'
    // Neither who was not seen nor who was right has used anything up.
    for (const outcome of ['no-face', 'match', 'match']) await attempted({ outcome }, hers)
    assert.equal(await why(), 'accepted')
    for (let round = 0; round < 10; round++) {
      await attempted({ outcome: round % 2 === 0 ? 'mismatch' : 'actions' }, hers)
      assert.match(String(await why()), /^face-/)
    }
    const { page } = await attempted({}, hers)
    assert.equal(await why(), 'too-often')
    assert.match(page.text, /今天核对的次数已用完/)
    // Another's card is not hers.
    await attempted()
    assert.equal(await why(), 'accepted')
  })

  it('refuses the card of a child, whom a camera has no business to look at', async () => {
    const child = await personOf('child')
    const birthDate = child.number.replace(/^.{6}(....)(..)(..).*/, '$1-$2-$3')
    const sex = Number(child.number[16]) % 2 === 1 ? '1' : '2'
    const { page } = await attempted({}, { name: child.name, number: child.number, birthDate, sex })
    assert.match(page.text, /未满14周岁/)
    assert.equal((await lastAnswer())?.facts?.['why'], 'under-14')
  })

  it('takes a reading once, by its own method and in its own attempt', async () => {
    const first = await arrive()
    const mine = await begin(first.browser, first.attempt)
    const answer = await readingOf(hall, mine.show, server.clock.now(), { payload: { face: faceOf(mine.show) } })
    const why = async () => (await lastAnswer())?.facts?.['why']

    const card = await arrive('id-card')
    const asked = await options(card.browser, card.attempt, {})
    await card.browser.post(`${card.attempt}/prove`, { challenge: asked.challenge ?? '', answer })
    assert.equal(await why(), 'nonce')

    const second = await arrive()
    const theirs = await begin(second.browser, second.attempt)
    await second.browser.post(`${second.attempt}/prove`, { challenge: theirs.challenge, answer })
    assert.equal(await why(), 'nonce')
    await second.browser.post(`${second.attempt}/prove`, { challenge: mine.challenge, answer })
    assert.equal(await why(), 'foreign')
    await first.browser.post(`${first.attempt}/prove`, { challenge: mine.challenge, answer })
    assert.equal(await why(), 'used')
  })

  it('begins nothing where another method was chosen, whatever was agreed to', async () => {
    const { browser, attempt } = await arrive('sms')
    assert.deepEqual(await options(browser, attempt, { consent: version }), { code: 'verifier_unavailable' })
  })

  for (const [what, verifiers, face, said] of [
    ['where it is the only way', ['card-face'], {}, /level 1 and 2 would be reached by a face alone/],
    ['where the others are for a few', ['card-face', 'passkey'], {}, /reached by a face alone \("card-face"\)/],
  ] as const)
    it(`does not start ${what}`, async () => {
      await assert.rejects(
        startServer({ settings: withKiosk(verifiers, face) }),
        (error) => isAppError(error, 'config_invalid') && said.test(error.detail ?? ''),
      )
    })

  it('does not start without its settings, and says what they are', async () => {
    await assert.rejects(
      startServer({ settings: withKiosk(['sms', 'card-face'], null) }),
      (error) =>
        isAppError(error, 'config_invalid') &&
        /verifiers\.idCard\.face: is missing, and a channel offers card-face; say who runs/.test(error.detail ?? ''),
    )
  })

  it('starts beside a code to the phone', async () => {
    const small = await startServer({ settings: withKiosk(['sms', 'card-face']) })
    await small.close()
  })
})
