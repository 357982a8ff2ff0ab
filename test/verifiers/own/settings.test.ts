/** What the settings of a city's own verifiers may say, what keeps the server from starting, and the published schema. */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '#src/config.ts'
import { isAppError } from '#src/errors.ts'
import { createOwnVerifier } from '#src/verifiers/own/index.ts'
import { loadModules } from '#src/verifiers/own/module.ts'
import { beginQuestionSchema, wireSchema } from '#src/verifiers/own/wire.ts'
import { createVerifiers, type VerifierParts } from '#src/verifiers/registry.ts'
import { declaration, macs } from '../../support/own-verifiers.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const module = { kind: 'module', path: './test/support/own-module.ts' }
const card = { ...declaration(module) }

const load = (own: object) => loadConfig('config', { YIHAO_VERIFIERS__OWN: JSON.stringify(own) })
const faultsOf = (own: object): readonly string[] => {
  try {
    load(own)
    return []
  } catch (error) {
    assert.ok(isAppError(error, 'config_invalid'))
    return (error.detail ?? '')
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
}

describe("the settings of a city's own verifiers", () => {
  it('come as a setting like any other, an environment variable too', () => {
    const { own } = load({ 'staff-card': card }).verifiers
    assert.equal(own['staff-card']?.kind, 'module')
    assert.deepEqual(loadConfig('config', {}).verifiers.own, {})
  })

  const consent = { receiver: { zh: '示例公司', en: 'Example Company' }, version: '1' }
  const leaving = { by: 'redirect', leavesTo: ['https://face.example.gov.cn'] }
  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['a level that is not for outsiders', { cap: 4 }, /cap: must be 1, 2 or 3/],
    ['level 3 by a phone', { proves: ['phone'], cap: 3 }, /cap: may be at most 2/],
    ['a person by our id', { proves: ['person'] }, /proves/],
    ['nothing to prove', { proves: [] }, /proves/],
    ['a method that RFC 8176 does not know', { amr: ['magic'] }, /amr\.0: must be values that RFC 8176/],
    ['a face that is not called one', { amr: ['face'] }, /facial: must be true/],
    ['a face of somebody unknown', { ...leaving, facial: true, consent }, /named: must be true/],
    ['consent that no page asks for', { consent }, /consent: is asked on the page/],
    ['a face without consent', { ...leaving, facial: true, named: true }, /consent: is missing/],
    ['somebody asked for who is not proven', { named: true, proves: ['code'] }, /proves: must be \["document"\]/],
    ['another site without its name', { by: 'redirect' }, /leavesTo: lists/],
    ['sites where nobody leaves', { leavesTo: ['https://a.cn'] }, /leavesTo: lists/],
    ['a phone of ours', { by: 'phone' }, /by/],
    ['a deadline over five seconds', { timeout: 6 }, /timeout/],
    ['a member that nobody knows', { level: 4 }, /"level" is not a setting/],
    ['no label in English', { label: { zh: '工作证' } }, /label\.en: is missing/],
  ]
  for (const [what, over, why] of refused) {
    it(`refuse ${what}`, () => {
      const faults = faultsOf({ 'staff-card': { ...card, ...over } })
      assert.equal(faults.length, 1, faults.join('\n'))
      assert.match(faults[0] ?? '', why)
      assert.match(faults[0] ?? '', /^verifiers\.own\.staff-card/)
    })
  }

  it('take a face with name and consent', () => {
    assert.deepEqual(faultsOf({ gate: { ...card, ...leaving, amr: ['face'], facial: true, named: true, consent } }), [])
  })

  it('refuse a name that is none', () => {
    for (const name of ['Staff', 'staff_card', '7', '-'])
      assert.match(
        faultsOf(JSON.parse(`{"${name}": ${JSON.stringify(card)}}`) as object).join(),
        /^verifiers\.own/,
        name,
      )
  })

  it('refuse plain HTTP over a network in production', () => {
    const http = { ...declaration({ kind: 'http', url: 'http://10.0.0.1/', keyFile: 'k', timeout: 5 }) }
    const said = (own: object) => {
      try {
        loadConfig('config', { YIHAO_ENVIRONMENT: 'production', YIHAO_VERIFIERS__OWN: JSON.stringify(own) })
      } catch (error) {
        if (isAppError(error)) return error.detail ?? ''
      }
      return ''
    }
    assert.match(said({ a: http }), /verifiers\.own: must be https/)
    assert.doesNotMatch(said({ a: { ...http, url: 'https://10.0.0.1/' } }), /verifiers\.own/)
    assert.doesNotMatch(said({ a: { ...http, url: 'http://127.0.0.1/' } }), /verifiers\.own/)
    const leaving = { ...http, url: 'https://a.cn', by: 'redirect', leavesTo: ['http://a.cn'] }
    assert.match(said({ a: leaving }), /verifiers\.own: a citizen may be sent to https alone/)
  })
})

describe("a module of a city's own, at the start", () => {
  const directory = temporaryDirectories()
  const faultOf = async (text: string | undefined, path?: string): Promise<string> => {
    const file = path ?? join(directory(), 'own.mjs')
    if (text !== undefined) writeFileSync(file, text)
    const loaded = loadModules({ 'staff-card': declaration({ kind: 'module', path: file }) })
    return loaded.then(
      () => '',
      (error: unknown) => {
        assert.ok(isAppError(error, 'config_invalid'))
        return error.detail ?? ''
      },
    )
  }

  it('is loaded from a file, in TypeScript too', async () => {
    assert.equal(await faultOf('export default () => ({ begin() {}, finish() {} })'), '')
    const file = join(directory(), 'own.ts')
    assert.equal(await faultOf('export default async (o: object) => ({ begin() {}, finish() {} })', file), '')
  })

  it('keeps the server from starting where it is missing or of another shape, and is named', async () => {
    const faults: readonly (readonly [string | undefined, RegExp, string?])[] = [
      [undefined, /cannot be loaded/],
      [undefined, /cannot be loaded: Cannot find package/, 'no-such-package-of-ours'],
      ['export default', /cannot be loaded/],
      ['throw new Error("no licence")', /cannot be loaded: no licence/],
      ['export const createVerifier = () => ({})', /has no function as its default export/],
      ['export default { begin() {}, finish() {} }', /has no function as its default export/],
      ['export default () => { throw new Error("no licence") }', /did not make a verifier: no licence/],
      ['export default () => undefined', /has no begin and finish/],
      ['export default () => ({ begin() {} })', /has no begin and finish/],
    ]
    for (const [text, why, path] of faults) {
      const fault = await faultOf(text, path)
      assert.match(fault, why)
      assert.match(fault, /^verifiers\.own\.staff-card\.path: /)
    }
  })
})

describe("a service of a city's own, at the start", () => {
  it('needs the file of its key', () => {
    const settings = declaration({ kind: 'http', url: 'http://localhost:1', keyFile: '/nonexistent', timeout: 2 })
    assert.throws(
      () => createOwnVerifier('staff-card', settings, { macs, modules: new Map() }),
      (error) => isAppError(error, 'key_invalid') && /nonexistent/.test(error.detail ?? ''),
    )
  })
})

describe("the names of a city's own verifiers", () => {
  const partsWith = (own: object): VerifierParts =>
    ({
      config: { verifiers: { own, upstream: { province: {} } } },
      codeMacs: macs,
      ownModules: new Map(),
    }) as unknown as VerifierParts

  it('are not those of built-in ones, also where no channel offers them', () => {
    for (const name of ['sms', 'passkey', 'province'])
      assert.throws(
        () => createVerifiers([], partsWith({ [name]: card })),
        (error) => isAppError(error, 'config_invalid') && /choose another/.test(error.detail ?? ''),
      )
    assert.throws(() => createVerifiers(['constructor'], partsWith({})), /there is no verifier/)
  })
})

describe('the published schema', () => {
  it('is what the server reads: run node docs/own-verifier-schema.ts where it is not', () => {
    const published: unknown = JSON.parse(readFileSync('docs/own-verifier.schema.json', 'utf8'))
    assert.deepEqual(published, JSON.parse(JSON.stringify(wireSchema())))
  })

  it('has no reference that leads nowhere, and lets no unknown member through', () => {
    const text = JSON.stringify(wireSchema())
    assert.ok(!text.includes('$ref'))
    assert.equal(beginQuestionSchema.safeParse({ extra: 1 }).success, false)
    assert.ok(text.match(/"additionalProperties":false/g)!.length >= 10)
  })
})
