/** The words of the pages: both languages complete, and every word a page or a fault asks for is there. */
import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { documentedErrors } from '#src/oidc/error-answers.ts'
import { publicSentence } from '#src/errors.ts'
import { loadWords } from '#src/http/words.ts'
import { documentKinds } from '#src/identity/id-number.ts'

const root = resolve(import.meta.dirname, '../..')
const locales = resolve(root, 'views/locales')
type Tree = { readonly [key: string]: string | Tree }

/** `{ code: { title: 'a' } }` → `code.title` → `a` */
function flat(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[path + key, value]] : flat(value, `${path}${key}.`),
  )
}
const words = (locale: string): ReadonlyMap<string, string> =>
  new Map(flat(JSON.parse(readFileSync(join(locales, `${locale}.json`), 'utf8')) as Tree))

/** A plural has its forms by language (CLDR): Chinese `other`, English `one` and `other`. */
const withoutPlural = (key: string) => key.replace(/_(one|other)$/, '')
const variablesOf = (text: string) => [...new Set([...text.matchAll(/\{\{-?\s*(\w+)/g)].map(([, name]) => name))].sort()

const textsUnder = (folder: string, extension: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'))

/** The first argument of each call `t(…)`, and the names of the variables it is given. */
function calls(text: string): { key: string; variables: string[] }[] {
  return [...text.matchAll(/\bt\(((?:[^(){}]|\([^()]*\))*?)(?:,\s*\{([^}]*)\})?\s*\)/g)].map(
    ([, key = '', given = '']) => ({
      key: key.trim(),
      variables: given
        .split(',')
        .map((part) => part.split(':')[0]?.trim() ?? '')
        .filter(Boolean),
    }),
  )
}

/** The literals a call may choose from: `'a'`, `x ? 'a' : 'b'`; none where it puts a key together. */
const literals = (key: string): string[] => {
  const choice = key.includes('?') ? key.slice(key.indexOf('?')) : key
  return /['"]\s*\+/.test(choice)
    ? []
    : [...choice.matchAll(/['"]([\w.-]+)['"]/g)].map(([, literal]) => literal as string)
}

describe('The words', () => {
  const [zh, en] = [words('zh'), words('en')]
  const keysOf = (map: ReadonlyMap<string, string>) => [...new Set([...map.keys()].map(withoutPlural))].sort()
  const inBoth = (key: string) =>
    [zh, en].every((map) => map.has(key) || (map.has(`${key}_other`) && (map === zh || map.has(`${key}_one`))))
  const viewCalls = textsUnder('views', '.eta').flatMap(calls)

  it('are the same keys in both languages, plurals apart, and none is empty', () => {
    assert.ok(zh.size > 100)
    assert.deepEqual(keysOf(zh), keysOf(en))
    for (const key of keysOf(zh)) assert.ok(inBoth(key), `${key} lacks a form`)
    for (const [key, text] of [...zh, ...en]) assert.ok(text.trim() !== '', key)
  })

  it('use the same variables in both languages', () => {
    for (const [key, text] of en) {
      const [mine, other] = [variablesOf(text), variablesOf(zh.get(key) ?? zh.get(`${withoutPlural(key)}_other`) ?? '')]
      assert.deepEqual(mine, other, key)
    }
  })

  it('are there for every page, with the variables they need', () => {
    let seen = 0
    for (const { key, variables } of viewCalls)
      for (const literal of literals(key)) {
        seen += 1
        assert.ok(inBoth(literal), `${literal} is used by a page`)
        const needed = variablesOf(zh.get(literal) ?? zh.get(`${literal}_other`) ?? '')
        for (const name of needed) assert.ok(variables.includes(name as string), `${literal} needs ${String(name)}`)
      }
    assert.ok(seen > 60, `${seen} seen`)
  })

  it('are asked for in a form this test understands', () => {
    for (const { key } of viewCalls) {
      const group = /^'(\w+\.)' \+ /.exec(key)?.[1]
      const there = group !== undefined && [zh, en].every((map) => [...map.keys()].some((one) => one.startsWith(group)))
      assert.ok(literals(key).length > 0 || there, `t(${key})`)
    }
  })

  it('are there for every fault of a sign-in', () => {
    const source = textsUnder('src/login', '.ts').join('\n')
    const codes = [...source.matchAll(/'((?:code|who|proof|phone|consent|passkey)_[\w-]+)'/g)].map(
      ([, code]) => code as string,
    )
    const refusals = /type ProofingRefusal =([^\n]*\n(?:\s+\|[^\n]*\n)+)/.exec(source)?.[1] ?? ''
    const proofs = [...refusals.matchAll(/'([\w-]+)'/g)].map(([, reason]) => `proof_${reason}`)
    assert.ok(codes.length > 8 && proofs.length > 8)
    for (const code of new Set([...codes, ...proofs]))
      assert.ok(publicSentence(code, 'zh') !== undefined || inBoth(`fault.${code}`), code)
  })

  it('are there for every kind of document, claim and documented error', () => {
    for (const kind of documentKinds) assert.ok(inBoth(`kind.${kind}`), kind)
    for (const claim of ['name', 'phone_number', 'id_number']) assert.ok(inBoth(`claim.${claim}`), claim)
    for (const code of documentedErrors) assert.ok(inBoth(`oauth_error.${code}`), code)
  })

  it('come in the language of the visitor, with variables and plurals filled in', async () => {
    const of = await loadWords(locales)
    assert.equal(of('zh')('brand', { city: '示例市' }), zh.get('brand')?.replace('{{city}}', '示例市'))
    const left = (count: number) => of('en')('fault.code_wrong', { count })
    assert.match(left(1), /1 more try\b/)
    assert.match(left(3), /3 more tries\b/)
    assert.equal(of('zh')('no.such.key'), 'no.such.key')
    assert.equal(of('zh')('brand', { city: '<b>' }), zh.get('brand')?.replace('{{city}}', '<b>'), 'the view escapes')
  })
})
