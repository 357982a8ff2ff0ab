/** A city's own verifiers, plugged in by the settings alone: a service in Python and a module open the same account. */
import { strict as assert } from 'node:assert'
import { decodeJwt } from 'jose'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Page } from '../support/browser.ts'
import { attemptOf, personOf, provePhone, signedIn, stepOf } from '../support/citizen.ts'
import { rightCard, startExample, type ExampleService } from '../support/own-service.ts'
import { declaration } from '../support/own-verifiers.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'
import { temporaryDirectories } from '../support/temporary.ts'

describe("signing in by a city's own verifier", () => {
  const directory = temporaryDirectories()
  let service: ExampleService
  let server: TestServer
  let party: RelyingParty

  before(async () => {
    service = await startExample(directory())
    server = await startServer({
      settings(config) {
        const { channels, verifiers } = config as {
          channels: { web: { verifiers: readonly string[] } }
          verifiers: { own: object; sms: object }
        }
        channels.web.verifiers = ['sms', 'staff-card', 'bus-card', 'library']
        Object.assign(verifiers.sms, { resendAfter: 1 })
        verifiers.own = {
          'staff-card': {
            ...declaration({ kind: 'http', url: service.url, keyFile: service.keyFile, timeout: 2 }),
            breaker: { failures: 2, pause: 30 },
          },
          'bus-card': {
            ...declaration({ kind: 'module', path: './test/support/own-module.ts' }),
            label: { zh: '公交卡', en: 'Bus card' },
            options: { card: '1', pin: '2', person: holder, lateMs: 0 },
          },
          library: {
            ...declaration({ kind: 'module', path: './test/support/own-module.ts', proves: ['code'] }),
            label: { zh: '图书馆证', en: 'Library card' },
            options: { card: '3', pin: '4', person: { issuer: 'own:library', code: 'reader-1' }, lateMs: 0 },
          },
        }
      },
    })
    party = relyingParty(server.url, 'first')
  })
  after(async () => {
    await server?.close()
    service?.close()
  })

  const holder = { kind: 'resident-id-card', number: '690101199203051010', name: '刘䶮' }
  const arrive = async (method: string) => {
    const browser = openBrowser(server.url)
    const request = party.request()
    const first = await browser.get(request.path)
    const attempt = attemptOf(first)
    const page = await browser.post(`${attempt}/method`, { method })
    const answer = (fields: Record<string, string>): Promise<Page> => browser.post(`${attempt}/prove`, fields)
    const subjectAfter = async (page: Page) => {
      const noticed = page.location ?? (await browser.post(`${attempt}/notice`, { answer: 'agree' })).location
      const claims = decodeJwt((await party.tokens(noticed ?? '', request)).id_token)
      return { sub: claims.sub, acr: claims['acr'], amr: claims['amr'] }
    }
    return { first, page, answer, subjectAfter, attempt, browser }
  }

  it('lists it under its own name, in its place, and shows its fields', async () => {
    const { first, page } = await arrive('staff-card')
    assert.match(first.text, /value="staff-card"[^]*工作证[^]*输入工作证号和密码[^]*value="bus-card"[^]*公交卡/)
    assert.equal(stepOf(page), 'prove')
    assert.match(page.text, /<h1>[^]*工作证[^]*<label for="field-card">工作证号[^]*<label for="field-pin">工作证密码/)
    assert.match(page.text, /id="field-pin" name="pin" type="password"/)
  })

  it('opens one account by text, by the service and by the module, at its level and by its method', async () => {
    const { tokens } = await signedIn(server, party, await personOf('yan'))
    const { sub } = decodeJwt(tokens.id_token)
    const byCard = await arrive('staff-card')
    const wrong = await byCard.answer({ ...rightCard, pin: '000000' })
    assert.match(wrong.text, /没有核对上[^]*<label for="field-card">/)
    const right = await byCard.answer(rightCard)
    assert.deepEqual(await byCard.subjectAfter(right), { sub, acr: 'urn:yihao:loa:2', amr: ['pin'] })
    const byBus = await arrive('bus-card')
    assert.equal((await byBus.subjectAfter(await byBus.answer({ card: '1', pin: '2' }))).sub, sub)
  })

  it('leaves its reasons in the audit trail, and nothing that was typed anywhere', async () => {
    interface Recorded {
      readonly type: string
      readonly outcome: string
      readonly verifier?: string
      readonly facts?: { readonly why?: string }
    }
    const rows = await server.app.storage.audit.read(server.config.audit.node, 0, 10_000)
    const trail = rows.map(({ body }) => JSON.parse(body) as Recorded)
    const records = trail.filter(({ verifier }) => verifier === 'staff-card')
    const answered = records.filter(({ type }) => type === 'challenge.answered')
    assert.deepEqual(
      answered.map(({ outcome, facts }) => [outcome, facts?.why]),
      [
        ['refused', 'card-or-pin'],
        ['ok', undefined],
      ],
    )
    const everything = JSON.stringify(records) + server.logged.join('')
    for (const typed of [rightCard.card, rightCard.pin, holder.number]) assert.ok(!everything.includes(typed))
  })

  it('links a code to an account under its own name, on pages and in texts', async () => {
    const { phone } = await personOf('yan')
    const { page, link, attempt, browser } = await (async () => {
      const begun = await arrive('library')
      const link = await begun.answer({ card: '3', pin: '4' })
      return { ...begun, link }
    })()
    assert.equal(stepOf(page), 'prove')
    assert.match(link.text, /<h1>[^]*您已通过[^]*图书馆证/)
    assert.doesNotMatch(link.text, /国家网络身份认证/)
    server.clock.advance(2_000)
    const list = await browser.post(`${attempt}/link`, { choice: 'other' })
    const proven = await provePhone(server, browser, list, phone)
    if (proven.location === undefined) await browser.post(`${attempt}/notice`, { answer: 'agree' })
    const texts = server.gateway.texts(phone).map(({ text }) => text.text)
    assert.match(texts.join(), /关联了一种新的登录方式/)
    assert.doesNotMatch(texts.join(), /国家网络身份认证/)
    const me = await browser.get('/me')
    assert.match(me.text, /<strong>图书馆证<\/strong>/)
    const again = await arrive('library')
    const known = await again.answer({ card: '3', pin: '4' })
    assert.notEqual(stepOf(known), 'link')
  })

  it('says that it is unavailable once the service is gone, hides it, and the others still work', async () => {
    const begun = await arrive('staff-card')
    service.close()
    assert.match((await begun.answer(rightCard)).text, /暂时不可用/)
    assert.match((await arrive('staff-card')).page.text, /这种方式现在不能用，请换一种/)
    const { first, page, answer } = await arrive('bus-card')
    assert.doesNotMatch(first.text, /value="staff-card"/)
    assert.equal(stepOf(page), 'prove')
    assert.equal(stepOf(await answer({ card: '1', pin: '2' })), '')
  })
})
