/** What the settings of 国家网络身份认证 and of platforms above the city may not be, and what each fault says. */
import assert from 'node:assert/strict'
import { loadConfig, parseConfig } from '#src/config.ts'
import { isAppError } from '#src/errors.ts'

interface Settings {
  environment: string
  issuer: string
  crypto: { policy: string }
  verifiers: { ctid?: Record<string, unknown>; upstream: Record<string, Record<string, unknown>> }
}

/** The faults of these settings that are of these verifiers. */
function faults(change: (settings: Settings) => void): string {
  const settings = structuredClone(loadConfig('config', {})) as unknown as Settings
  change(settings)
  try {
    parseConfig(settings)
    return ''
  } catch (error) {
    assert.ok(isAppError(error, 'config_invalid'))
    const lines = (error.detail ?? '').split('\n').filter((line) => /verifiers\.(ctid|upstream)/.test(line))
    return lines.map((line) => line.trim()).join('\n')
  }
}

describe('the settings of national and provincial verifiers', () => {
  it('are right in development', () =>
    assert.equal(
      faults(() => undefined),
      '',
    ))

  it('name the national service where a channel offers it', () => {
    assert.match(
      faults(({ verifiers }) => void delete verifiers.ctid),
      /^verifiers\.ctid: is missing, and a channel/,
    )
  })

  it('never name this server as its own platform', () => {
    const circle = ({ issuer, verifiers }: Settings) => void (verifiers.upstream['province']!['issuer'] = issuer)
    assert.match(faults(circle), /^verifiers\.upstream: names this server itself/)
  })

  it('are encrypted in production', () => {
    const open = ({ verifiers: { ctid, upstream } }: Settings) => {
      ctid!['url'] = 'http://ctid.example.gov.cn/auth'
      ctid!['app'] = 'http://ctid.example.gov.cn/?bizSeq={bizSeq}&return={return}'
      upstream['province']!['issuer'] = 'http://province.example.gov.cn'
    }
    assert.equal(faults(open), '')
    const found = faults((settings) => {
      settings.environment = 'production'
      open(settings)
    })
    assert.match(found, /verifiers\.ctid\.url: must be https in production/)
    assert.match(found, /verifiers\.ctid\.app: must be https in production/)
    assert.match(found, /verifiers\.upstream: must be https in production/)
  })

  it('send citizens to https alone in production', () => {
    const signInPage = 'http://nation.example.gov.cn/login?goto={return}'
    const found = faults((settings) => {
      settings.environment = 'production'
      Object.assign(settings.verifiers.upstream['nation'] as object, { signInPage })
    })
    assert.match(found, /^verifiers\.upstream: must be https in production/)
  })

  it('keep to domestic algorithms where nothing else is allowed', () => {
    const strict = (name: string, over: object) =>
      faults(({ crypto, verifiers }) => {
        crypto.policy = 'sm-only'
        Object.assign(verifiers.upstream[name] as object, over)
      })
    assert.equal(strict('province', {}), '')
    const keyFile = 'keys/x'
    const foreign: readonly (readonly [string, object])[] = [
      ['province', { algorithms: ['SGD_SM3_SM2', 'ES256'] }],
      ['province', { authentication: { method: 'private_key_jwt', keyFile, algorithm: 'ES256' } }],
      ['nation', { signing: { kind: 'md5', keyFile } }],
      ['nation', { signing: { kind: 'hmac-sha256', accessKey: 'a', keyFile } }],
    ]
    for (const [name, over] of foreign)
      assert.match(strict(name, over), /^verifiers\.upstream: crypto\.policy is sm-only/)
  })

  it('take addresses with the places that are needed and no others', () => {
    const app = (address: string) => faults(({ verifiers }) => void (verifiers.ctid!['app'] = address))
    assert.match(app('https://app.example/?b={bizSeq}'), /needs the places \{bizSeq\}, \{return\}/)
    assert.match(app('https://app.example/?b={bizSeq}&r={return}&n={name}'), /may have no other places/)
    assert.match(app('ctid://open?b={bizSeq}&r={return}'), /must be an https address/)
  })

  it('say at least one level, none below a real name, and kinds of document that there are', () => {
    const province = (over: object) =>
      faults(({ verifiers }) => void Object.assign(verifiers.upstream['province'] as object, over))
    assert.match(province({ levels: {} }), /names no level/)
    assert.notEqual(province({ levels: { '1': 1 } }), '')
    assert.notEqual(province({ cap: 4 }), '')
    assert.notEqual(province({ kinds: { '1': 'library-card' } }), '')
    assert.notEqual(province({ algorithms: ['none'] }), '')
  })
})
