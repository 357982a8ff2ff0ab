/** What an application's file may say, and what it may not. */
import { strict as assert } from 'node:assert'
import { parseApplication, type ApplicationInput } from '#src/oidc/application.ts'
import { soon } from '../support/app.ts'
import { keyedApplication, smKey } from '../support/keyed-party.ts'

describe('an application that uses other algorithms than SM', () => {
  const exception = { reason: { zh: '库不支持国密', en: 'Its library has no SM' }, until: soon() }
  const policy = (smOnly: boolean) => ({ smOnly, production: false, now: Date.now() })
  const parse = (changes: Partial<ApplicationInput>, smOnly = false) =>
    parseApplication(
      keyedApplication({ credential: { jwks: { keys: [smKey('sm').jwk] } }, ...changes }),
      policy(smOnly),
    )
  const uses: Readonly<Record<string, Partial<ApplicationInput>>> = {
    'for what is signed for it': { algorithm: 'ES256' },
    'for the access tokens of an API': {
      apis: [{ resource: 'https://api.example/', scopes: ['read'], algorithm: 'RS256' }],
    },
    'for what is encrypted to it': { encryption: { alg: 'ECDH-ES', enc: 'A256GCM', of: ['userinfo'] } },
  }

  for (const [what, changes] of Object.entries(uses)) {
    it(`${what} says why and until when, and is none where nothing but SM is allowed`, () => {
      assert.throws(() => parse(changes), /exception: say why no SM algorithm/)
      assert.throws(
        () => parse({ ...changes, exception: { ...exception, until: '2026-01-01' } }),
        /exception\.until: is past/,
      )
      assert.equal(parse({ ...changes, exception }).id, 'sm')
      assert.throws(() => parse({ ...changes, exception }, true), /sm-only/)
    })
  }

  it('is told from one that uses none', () => {
    const sm = {
      apis: [{ resource: 'https://api.example/', scopes: ['read'] }],
      encryption: { alg: 'SGD_SM2_3', enc: 'SGD_SM4_GCM', of: ['userinfo'] },
    } as const satisfies Partial<ApplicationInput>
    for (const smOnly of [false, true]) assert.equal(parse(sm as never, smOnly).exception, undefined)
  })
})
