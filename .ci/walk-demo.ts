/**
 * Walks the demo city as its citizen: signs in at the first application, opens the second, verifies the ID token each
 * one shows with a library that is not ours (sm-crypto, Web Crypto), and, on return, signs out of both.
 * Usage: node .ci/walk-demo.ts register|return, with the YIHAO_ISSUER and YIHAO_DEMO__PORTS of the server, if any
 */
import { strict as assert } from 'node:assert'
import { webcrypto } from 'node:crypto'
import smCrypto from 'sm-crypto'
import { openBrowser, type Browser, type Page } from '../test/support/browser.ts'

const { YIHAO_ISSUER: issuer = 'http://localhost:3000', YIHAO_DEMO__PORTS: ports = '[3001, 3002, 3003, 3004]' } =
  process.env
const [first, second, phone] = (JSON.parse(ports) as number[]).map((port) => `http://localhost:${port}`)
const citizen = { phone: '199 0000 0001', name: '刘䶮', number: '690101 19920305 1010' }
const newcomer = process.argv[2] === 'register'

const yihao = openBrowser(issuer)
const bytes = (text: string) => Buffer.from(text, 'base64url')

const attemptOf = (page: Page) => new URL(page.url).pathname.split('/').slice(0, 3).join('/')

async function newestCode(): Promise<string> {
  const code = /验证码(\d{6})/.exec(await (await fetch(phone as string)).text())?.[1]
  assert.ok(code, 'the demo phone shows no code')
  return code
}

async function register(page: Page): Promise<Page> {
  const attempt = attemptOf(page)
  await yihao.post(`${attempt}/document`, { kind: 'resident-id-card' })
  await yihao.post(`${attempt}/name`, { name: citizen.name })
  return yihao.post(`${attempt}/number`, { number: citizen.number })
}

/** From an application's button back to its page; says whether the citizen was asked who he is. */
async function enter(application: Browser): Promise<{ page: Page; asked: boolean }> {
  let page = await yihao.get((await application.get('/login')).location ?? '')
  const asked = page.url.endsWith('/phone')
  if (asked) {
    const attempt = attemptOf(page)
    await yihao.post(`${attempt}/phone`, { phone: citizen.phone })
    page = await yihao.post(`${attempt}/code`, { code: await newestCode() })
    assert.equal(page.url.endsWith('/document'), newcomer, 'registration is for newcomers')
    if (newcomer) page = await register(page)
  }
  if (page.location === undefined) page = await yihao.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
  return { page: await application.get(page.location ?? ''), asked }
}

async function verified(page: Page, alg: string): Promise<Record<string, unknown>> {
  const token = /id="id-token">([\w.-]+)</.exec(page.text)?.[1]
  assert.ok(token, `the application shows no ID token: ${/<main[^]*<\/main>/.exec(page.text)?.[0] ?? page.text}`)
  const [header = '', payload = '', signature = ''] = token.split('.')
  const { kid, alg: named } = JSON.parse(bytes(header).toString()) as { kid: string; alg: string }
  assert.equal(named, alg)
  const { keys } = (await (await fetch(`${issuer}/jwks${alg === 'SGD_SM3_SM2' ? '/sm' : ''}`)).json()) as {
    keys: webcrypto.JsonWebKey[]
  }
  const jwk = keys.find((key) => Reflect.get(key, 'kid') === kid)
  assert.ok(jwk, 'the key is not published')
  const signed = new TextEncoder().encode(`${header}.${payload}`)
  const hex = (text: string | undefined) => bytes(text ?? '').toString('hex')
  const right =
    alg === 'SGD_SM3_SM2'
      ? smCrypto.sm2.doVerifySignature(signed, hex(signature), `04${hex(jwk.x)}${hex(jwk.y)}`, { hash: true })
      : await webcrypto.subtle.verify(
          { name: 'ECDSA', hash: 'SHA-256' },
          await webcrypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']),
          bytes(signature),
          signed,
        )
  assert.ok(right, `the ${alg} signature does not verify`)
  return JSON.parse(bytes(payload).toString()) as Record<string, unknown>
}

async function signOut(application: Browser): Promise<void> {
  const page = await yihao.get((await application.get('/logout')).location ?? '')
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
  const done = await yihao.post('/session/end/confirm', { xsrf, logout: 'yes' })
  await application.get(done.location ?? '')
}

const insurance = openBrowser(first as string)
const property = openBrowser(second as string)
const one = await enter(insurance)
assert.ok(one.asked)
const two = await enter(property)
assert.ok(!two.asked, 'the second application asked who he is')
const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
  id_token_signing_alg_values_supported: string[]
}
// Where nothing but SM is allowed, the second application does not use its stock library.
const otherAlg = metadata.id_token_signing_alg_values_supported.includes('ES256') ? 'ES256' : 'SGD_SM3_SM2'
const claims = [await verified(one.page, 'SGD_SM3_SM2'), await verified(two.page, otherAlg)]
assert.notEqual(claims[0]?.['sub'], claims[1]?.['sub'])

if (!newcomer) {
  await signOut(insurance)
  for (const application of [insurance, property]) {
    for (let tries = 0; (await application.get('/')).text.includes('id="citizen"'); tries += 1) {
      assert.ok(tries < 50, 'the application still knows him')
      await new Promise((done) => setTimeout(done, 100))
    }
  }
}
console.log(`  ${newcomer ? 'registered' : 'returned'}: SGD_SM3_SM2 and ${otherAlg} verified`)
