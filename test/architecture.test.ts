/** The import table of DESIGN.md, "Who may import whom", enforced on the import lines of every source file. */
import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const src = join(root, 'src')

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  .map((name) => ({ name: name.replaceAll('\\', '/'), text: readFileSync(join(src, name), 'utf8') }))

/** `login/attempt.ts` → `login`; a verifier's and a driver's folder is a room of its own. */
function roomOf(name: string): string {
  const [first = '', second = '', third] = name.split('/')
  if (second === '') return first.replace(/\.ts$/, '')
  return third !== undefined && ['verifiers', 'storage'].includes(first) ? `${first}/${second}` : first
}

const importLine =
  /(?:^|\n)\s*(import|export)\s+(type\s+)?[^'"\n;]*?(?:\n[^'"]*?)?from\s+['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/g

interface Import {
  readonly target: string
  readonly type: boolean
}

const importsOf = (text: string): readonly Import[] =>
  [...text.matchAll(importLine)].map((match) => ({
    target: (match[3] ?? match[4]) as string,
    type: match[2] !== undefined,
  }))

/** The room inside src that an import reaches, or undefined for a package. */
function reached(from: string, target: string): string | undefined {
  const file = target.startsWith('#src/')
    ? target.slice('#src/'.length)
    : target.startsWith('.')
      ? relative(src, resolve(src, dirname(from), target)).replaceAll('\\', '/')
      : undefined
  return file === undefined ? undefined : roomOf(file)
}

/** Rooms from the top down; a room may import those below its own line. */
const order: readonly (readonly string[])[] = [
  ['server', 'cli', 'agents'],
  ['app'],
  ['portal', 'admin', 'demo'],
  ['oidc'],
  ['login'],
  ['verifiers', 'verifiers/*', 'register', 'storage', 'storage/*', 'audit', 'outbox', 'staff', 'channels'],
  ['identity', 'crypto', 'peers'],
  ['jose', 'errors'],
]

const lineOf = (room: string): number =>
  order.findIndex((line) => line.includes(room) || line.includes(room.replace(/\/.*/, '/*')))

/** What stands beside the order: the settings' type, and web manners for the rooms that speak HTTP. */
function isAllowed(from: string, to: string, type: boolean): boolean {
  if (from === to) return true
  if (from === 'jose') return false
  if (from === 'http') return to === 'errors'
  if (from === 'config') return to === 'errors'
  if (to === 'config') return type || ['server', 'cli', 'agents', 'app', 'demo'].includes(from)
  if (to === 'http') return ['server', 'agents', 'app', 'portal', 'admin', 'demo', 'oidc'].includes(from)
  if (lineOf(from) < 0 || lineOf(to) < 0) return false
  if (lineOf(from) < lineOf(to)) return true
  if (lineOf(from) > lineOf(to)) return false
  // Equals see of each other the port and nothing else; a folder's own port file, and a registry its folders.
  if (from.startsWith(to) || to.startsWith(from)) return true
  return type && ['storage', 'verifiers', 'channels'].includes(to)
}

const packageRooms: Readonly<Record<string, readonly string[]>> = {
  'oidc-provider': ['oidc'],
  keygrip: ['oidc'],
  express: ['app', 'http', 'portal', 'admin', 'demo'],
  helmet: ['http', 'demo'],
  mongoose: ['storage/mongo'],
  '@simplewebauthn/server': ['verifiers/passkey'],
  'sm-crypto': ['jose'],
  'jose-upstream': ['jose'],
  'rate-limiter-flexible': ['login'],
  'openid-client': ['demo'],
  'node:sqlite': ['storage/sqlite'],
  pino: ['http'],
  eta: ['http'],
  koffi: ['crypto'],
  '@vladmandic/face-api': ['agents'],
  'jpeg-js': ['agents'],
  i18next: ['http'],
}

describe('the house', () => {
  it('finds its files and their imports', () => {
    assert.ok(files.length > 80)
    assert.ok(importsOf(files.find(({ name }) => name === 'app.ts')?.text ?? '').length > 20)
  })

  for (const { name, text } of files) {
    it(`${name} imports only downwards`, () => {
      for (const { target, type } of importsOf(text)) {
        const to = reached(name, target)
        if (to !== undefined) assert.ok(isAllowed(roomOf(name), to, type), `${name} imports ${target}`)
      }
    })
  }

  it('keeps each outside package in its room', () => {
    for (const { name, text } of files) {
      for (const { target } of importsOf(text)) {
        const pkg = Object.keys(packageRooms).find((known) => target === known || target.startsWith(`${known}/`))
        if (pkg) assert.ok(packageRooms[pkg]?.includes(roomOf(name)), `${name} imports ${target}`)
      }
    }
  })

  it('reaches into the engine from one file only', () => {
    const reaching = files.filter(({ text }) => text.includes("'oidc-provider/lib/")).map(({ name }) => name)
    assert.deepEqual(reaching, ['oidc/sm.ts'])
  })

  it('loads the demo city nowhere but at the process edge and, on demand, in the composition root', () => {
    const loading = files.filter(({ name, text }) => roomOf(name) !== 'demo' && /['"][^'"]*\/demo\//.test(text))
    assert.deepEqual(loading.map(({ name }) => name).sort(), ['app.ts', 'server.ts'])
    for (const { text } of loading)
      assert.doesNotMatch(text, /from\s+'[^']*\/demo\//, 'it must be imported dynamically')
  })

  it('reads the environment at the process edges only', () => {
    const reading = files.filter(({ text }) => /process\.env/.test(text)).map(({ name }) => name)
    for (const name of reading) assert.match(name, /^(server\.ts|(cli|agents)\/[^/]+\.ts)$/)
  })

  it('takes nothing random from where it can be foretold', () => {
    for (const { name, text } of files) assert.doesNotMatch(text, /Math\.random/, name)
  })

  it('has no file over 300 lines, and every file says what it is for', () => {
    for (const { name, text } of files) {
      assert.ok(text.split('\n').length <= 301, `${name} is too long`)
      assert.match(text, /^(#!.*\n)?\/\*\*|^\/\//, `${name} has no header`)
    }
  })
})
