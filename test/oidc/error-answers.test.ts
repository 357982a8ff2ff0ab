import { strict as assert } from 'node:assert'
import { documentedErrors } from '#src/oidc/error-answers.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { relyingParty } from '../support/relying-party.ts'

describe('what an application is told of an error', () => {
  let server: TestServer
  before(async () => {
    server = await startServer()
  })
  after(() => server.close())

  it('is explained on a page that has an anchor for each code, in both languages', async () => {
    for (const locale of ['zh', 'en']) {
      const page = await openBrowser(server.url).get(`/docs/errors?lang=${locale}`)
      for (const code of documentedErrors) {
        assert.match(page.text, new RegExp(`id="${code}"`))
        assert.doesNotMatch(page.text, new RegExp(`oauth_error\\.${code}`))
      }
    }
  })

  it('carries the anchor and the number in a JSON answer', async () => {
    const answer = await relyingParty(server.url, 'first').token({ grant_type: 'refresh_token', refresh_token: 'x' })
    const body = (await answer.json()) as Record<string, string>
    assert.equal(body['error'], 'invalid_grant')
    assert.equal(body['error_uri'], `${server.url}/docs/errors#invalid_grant`)
    assert.equal(body['reference'], answer.headers.get('x-request-id'))
  })

  it('carries the anchor and the number in a redirect, beside issuer and state', async () => {
    const request = relyingParty(server.url, 'first').request({ prompt: 'none' })
    const { location = '', headers } = await openBrowser(server.url).get(request.path)
    const told = new URL(location).searchParams
    assert.equal(told.get('error_uri'), `${server.url}/docs/errors#login_required`)
    assert.equal(told.get('reference'), headers.get('x-request-id'))
    assert.deepEqual([told.get('iss'), told.get('state')], [server.url, request.state])
  })
})
