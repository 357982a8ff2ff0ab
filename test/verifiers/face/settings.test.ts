/** The settings of the face verifier: what is refused at the start, and which service they open. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig, parseConfig } from '#src/config.ts'
import { isAppError } from '#src/errors.ts'
import { openFaceSessions } from '#src/verifiers/face/open.ts'

const keyFile = join(mkdtempSync(join(tmpdir(), 'yihao-face-')), 'key')
writeFileSync(keyFile, randomBytes(32).toString('base64url'), { mode: 0o600 })
const consent = { receiver: { zh: '示例人脸核验中心', en: 'Example Face Centre' }, version: '1' }
const common = { keyFile, timeout: 4 }
const services = {
  http: { kind: 'http', url: 'https://face.example.gov.cn', ...common },
  aliyun: { kind: 'aliyun', keyId: 'k', algorithm: 'ACS3-HMAC-SM3', sceneId: '1000000006', metaInfo: '{}', ...common },
  tencent: { kind: 'tencent', keyId: 'k', ruleId: '1', ...common },
} as const

const settings = (face: object | undefined, environment = 'development') => {
  const given = structuredClone(loadConfig('config', {})) as unknown as { verifiers: { face?: object | undefined } }
  given.verifiers.face = face
  return { ...given, environment }
}
const faultOf = (given: object): string => {
  try {
    parseConfig(given)
    return ''
  } catch (error) {
    assert.ok(isAppError(error, 'config_invalid'))
    return error.detail ?? ''
  }
}

describe('the settings of the face verifier', () => {
  for (const [kind, service] of Object.entries(services))
    it(`open the service ${kind}, ten minutes for the citizen unless they say otherwise`, () => {
      const { face } = parseConfig(settings({ service, consent })).verifiers
      assert.ok(face)
      assert.equal(openFaceSessions(face.service).name, kind)
      assert.equal(face.validity, 600)
    })

  const wrong: readonly [string, object | undefined, RegExp][] = [
    ['a channel offers it and nothing says how', undefined, /verifiers\.face: is missing; a channel offers "face"/],
    ['nobody is named who receives the image', { service: services.http }, /verifiers\.face\.consent: is missing/],
    [
      'the service may take longer than five seconds',
      { service: { ...services.http, timeout: 6 }, consent },
      /timeout/,
    ],
    ['the scene is no number', { service: { ...services.aliyun, sceneId: 'x' }, consent }, /sceneId/],
  ]
  for (const [what, face, path] of wrong)
    it(`are refused where ${what}`, () => {
      assert.match(faultOf(settings(face)), path)
    })

  it('are refused under sm-only where anything but SM3 would sign', () => {
    const strict = (service: object) => {
      const given = settings({ service, consent })
      return faultOf({ ...given, crypto: { ...(given as unknown as { crypto: object }).crypto, policy: 'sm-only' } })
    }
    for (const service of [services.tencent, { ...services.aliyun, algorithm: 'ACS3-HMAC-SHA256' }])
      assert.match(strict(service), /verifiers\.face\.service: crypto\.policy is sm-only/)
    for (const service of [services.aliyun, services.http]) assert.doesNotMatch(strict(service), /verifiers\.face/)
  })

  it('are refused in production where names and numbers would go openly', () => {
    const open = (url: string) => faultOf(settings({ service: { ...services.http, url }, consent }, 'production'))
    assert.match(open('http://face.example.gov.cn'), /verifiers\.face\.service\.url: must be https/)
    for (const url of ['https://face.example.gov.cn', 'http://127.0.0.1:9000'])
      assert.doesNotMatch(open(url), /verifiers\.face/)
  })
})
