import { strict as assert } from 'node:assert'
import { newReference, rememberVisit, visitOf } from '#src/http/visit.ts'
import { serve, type Web } from '../support/web.ts'

describe('A visit', () => {
  let web: Web
  before(async () => {
    web = await serve((app) => {
      app.use(rememberVisit({ secure: false }))
      app.use((request, response) => void response.json(visitOf(request)))
    })
  })
  after(() => web.close())

  async function visit(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${web.url}${path}`, { headers })
    const seen = (await response.json()) as { locale: string; size: string; reference: string; address: string }
    return { ...seen, response, cookies: response.headers.getSetCookie() }
  }

  describe('language', () => {
    const wishes: [what: string, path: string, headers: Record<string, string>, locale: string][] = [
      ['nothing said', '/', {}, 'zh'],
      ['a browser in English', '/', { 'accept-language': 'en-US,en;q=0.9' }, 'en'],
      ['a browser in Chinese that knows English', '/', { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' }, 'zh'],
      ['a browser that likes English better', '/', { 'accept-language': 'zh;q=0.5,en;q=0.8' }, 'en'],
      ['a browser in neither', '/', { 'accept-language': 'fr,de;q=0.5' }, 'zh'],
      ['the remembered choice before the browser', '/', { cookie: 'a=b; lang=en', 'accept-language': 'zh' }, 'en'],
      ['the link before the remembered choice', '/?lang=zh', { cookie: 'lang=en' }, 'zh'],
      ['ui_locales of the application', '/?ui_locales=fr%20en-GB%20zh', { 'accept-language': 'zh' }, 'en'],
      ['ui_locales in capitals', '/?ui_locales=EN', {}, 'en'],
      ['the remembered choice before ui_locales', '/?ui_locales=zh', { cookie: 'lang=en' }, 'en'],
      ['a script or region behind it', '/?lang=zh-Hans-CN', { cookie: 'lang=en' }, 'zh'],
      ['an unknown language', '/?lang=english', { 'accept-language': 'en' }, 'en'],
      ['a language named twice', '/?lang=en&lang=zh', { cookie: 'lang=en' }, 'en'],
      ['a structure', '/?lang[a]=en', {}, 'zh'],
      ['a cookie that is not ours', '/', { cookie: 'xlang=en; lang=fr' }, 'zh'],
    ]
    for (const [what, path, headers, locale] of wishes)
      it(`${what}: ${locale}`, async () => {
        // fetch would send one of its own.
        const seen = await visit(path, { 'accept-language': '', ...headers })
        assert.equal(seen.locale, locale)
        assert.equal(seen.response.headers.get('content-language'), locale === 'zh' ? 'zh-CN' : 'en')
      })
  })

  describe('type size', () => {
    const wishes: [path: string, cookie: string, size: string][] = [
      ['/', '', 'normal'],
      ['/?size=large', '', 'large'],
      ['/', 'size=large', 'large'],
      ['/?size=normal', 'size=large', 'normal'],
      ['/?size=huge', 'size=large', 'large'],
      ['/?size=normal&size=normal', 'size=large', 'large'],
      ['/', 'size=huge', 'normal'],
    ]
    for (const [path, cookie, size] of wishes)
      it(`${path} with "${cookie}": ${size}`, async () => assert.equal((await visit(path, { cookie })).size, size))
  })

  it('remembers a choice for a year, out of reach of scripts and other sites, and nothing else', async () => {
    const { cookies } = await visit('/?lang=en&size=large')
    assert.equal(cookies.length, 2)
    for (const cookie of cookies) {
      assert.match(cookie, /^(lang=en|size=large); Max-Age=31536000; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/)
    }
    for (const path of ['/', '/?lang=fr', '/?size=huge', '/?lang=en%0d%0aSet-Cookie:a=b'])
      assert.deepEqual((await visit(path)).cookies, [], path)
  })

  it('keeps the cookies to https where the issuer is', async () => {
    const secure = await serve((app) =>
      app.use(rememberVisit({ secure: true }), (_request, response) => response.end()),
    )
    const { headers } = await fetch(`${secure.url}/?lang=en`)
    assert.match(headers.getSetCookie()[0] ?? '', /; Secure/)
    secure.close()
  })

  it('has a number that nobody else has, readable over the phone, and says it in x-request-id', async () => {
    const { reference, response } = await visit('/', { 'x-request-id': 'chosen-by-somebody' })
    assert.match(reference, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/)
    assert.equal(response.headers.get('x-request-id'), reference)
    const many = new Set(Array.from({ length: 10_000 }, newReference))
    assert.equal(many.size, 10_000)
  })

  it('is not there before it was remembered', () => assert.throws(() => visitOf({}), /no visit/))
})
